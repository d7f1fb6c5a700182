# SPDX-FileCopyrightText: 2026 The Socle authors
# SPDX-License-Identifier: GPL-3.0-or-later

locals {
  channels = [for channel in google_monitoring_notification_channel.main : channel.id]
  alerts = {
    cloud_run = {
      "answers with errors" = {
        filter    = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
        of        = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_count\""
        align     = "ALIGN_RATE"
        reduce    = "REDUCE_SUM"
        group     = ["resource.labels.service_name"]
        above     = var.error_share
        severity  = "CRITICAL"
        next_step = "Look at the service's logs of its newest revision; give the traffic back to the one before."
      }
      "is slow" = {
        filter    = "resource.type = \"cloud_run_revision\" AND metric.type = \"run.googleapis.com/request_latencies\""
        of        = null
        align     = "ALIGN_PERCENTILE_95"
        reduce    = "REDUCE_MAX"
        group     = ["resource.labels.service_name"]
        above     = var.latency
        severity  = "WARNING"
        next_step = "Compare with the database's load and the number of copies; raise max or concurrency."
      }
    }
    gke = {
      "restarts its containers" = {
        filter    = "resource.type = \"k8s_container\" AND metric.type = \"kubernetes.io/container/restart_count\""
        of        = null
        align     = "ALIGN_DELTA"
        reduce    = "REDUCE_SUM"
        group     = ["resource.labels.namespace_name", "resource.labels.container_name"]
        above     = 5
        severity  = "WARNING"
        next_step = "kubectl describe pod says why the last one ended."
      }
      "has volumes nearly full" = {
        filter    = "resource.type = \"k8s_pod\" AND metric.type = \"kubernetes.io/pod/volume/utilization\""
        of        = null
        align     = "ALIGN_MEAN"
        reduce    = "REDUCE_MAX"
        group     = ["resource.labels.namespace_name", "resource.labels.pod_name"]
        above     = 0.85
        severity  = "CRITICAL"
        next_step = "Make the claim larger: the class allows it while it is in use."
      }
    }
    database = {
      "has its disk nearly full" = {
        filter    = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/disk/utilization\""
        of        = null
        align     = "ALIGN_MEAN"
        reduce    = "REDUCE_MAX"
        group     = ["resource.labels.database_id"]
        above     = 0.9
        severity  = "CRITICAL"
        next_step = "The disk grows by itself up to disk_limit: raise it, or look for what grows."
      }
      "is at its limit" = {
        filter    = "resource.type = \"cloudsql_database\" AND metric.type = \"cloudsql.googleapis.com/database/cpu/utilization\""
        of        = null
        align     = "ALIGN_MEAN"
        reduce    = "REDUCE_MAX"
        group     = ["resource.labels.database_id"]
        above     = 0.9
        severity  = "WARNING"
        next_step = "Query Insights tells which statements; then a larger tier."
      }
    }
    load_balancer = {
      "answers with errors" = {
        filter    = "resource.type = \"https_lb_rule\" AND metric.type = \"loadbalancing.googleapis.com/https/request_count\" AND metric.labels.response_code_class = 500"
        of        = "resource.type = \"https_lb_rule\" AND metric.type = \"loadbalancing.googleapis.com/https/request_count\""
        align     = "ALIGN_RATE"
        reduce    = "REDUCE_SUM"
        group     = ["resource.labels.url_map_name"]
        above     = var.error_share
        severity  = "CRITICAL"
        next_step = "The load balancer's log says which backend, and why (statusDetails)."
      }
    }
    pubsub = {
      "has messages that nobody could take" = {
        filter    = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.labels.subscription_id = ends_with(\"-dead\")"
        of        = null
        align     = "ALIGN_MEAN"
        reduce    = "REDUCE_MAX"
        group     = ["resource.labels.subscription_id"]
        above     = 0
        severity  = "WARNING"
        next_step = "Look at the messages of that subscription, mend the subscriber, publish them again."
      }
      "falls behind" = {
        filter    = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        of        = null
        align     = "ALIGN_MAX"
        reduce    = "REDUCE_MAX"
        group     = ["resource.labels.subscription_id"]
        above     = 900
        severity  = "WARNING"
        next_step = "More copies of the subscriber, or one that is stuck."
      }
    }
  }
  watched = merge([for kind in var.watch : { for name, alert in local.alerts[kind] : "${kind} ${name}" => alert }]...)
}

resource "google_monitoring_notification_channel" "main" {
  for_each = var.alert_emails

  display_name = each.value
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = local.labels
}

resource "google_monitoring_alert_policy" "main" {
  for_each = local.watched

  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = each.key

    condition_threshold {
      filter             = each.value.filter
      denominator_filter = each.value.of
      comparison         = "COMPARISON_GT"
      threshold_value    = each.value.above
      duration           = "300s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = each.value.align
        cross_series_reducer = each.value.reduce
        group_by_fields      = each.value.group
      }

      dynamic "denominator_aggregations" {
        for_each = each.value.of == null ? [] : [true]

        content {
          alignment_period     = "300s"
          per_series_aligner   = each.value.align
          cross_series_reducer = each.value.reduce
          group_by_fields      = each.value.group
        }
      }
    }
  }

  documentation {
    content = each.value.next_step
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_uptime_check_config" "main" {
  for_each = var.uptime

  display_name       = "${var.name}: ${each.key}"
  timeout            = "10s"
  period             = "60s"
  log_check_failures = true
  user_labels        = local.labels

  http_check {
    path         = each.value.path
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = each.value.host }
  }
}

resource "google_monitoring_alert_policy" "uptime" {
  for_each = var.uptime

  display_name          = "${var.name}: ${each.key} does not answer"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "${each.value.host}${each.value.path}"

    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.main[each.key].uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "60s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.labels.host"]
      }
    }
  }

  documentation {
    content = "More than one place in the world gets no answer from https://${each.value.host}${each.value.path}."
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_dashboard" "main" {
  count = length(local.watched) > 0 ? 1 : 0

  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 12
      tiles = [
        for index, name in sort(keys(local.watched)) : {
          xPos   = index % 2 * 6
          yPos   = floor(index / 2) * 4
          width  = 6
          height = 4
          widget = {
            title = name
            xyChart = {
              dataSets = [{
                plotType = "LINE"
                timeSeriesQuery = {
                  timeSeriesFilter = {
                    filter = local.watched[name].filter
                    aggregation = {
                      alignmentPeriod    = "300s"
                      perSeriesAligner   = local.watched[name].align
                      crossSeriesReducer = local.watched[name].reduce
                      groupByFields      = local.watched[name].group
                    }
                  }
                }
              }]
            }
          }
        }
      ]
    }
  })
}
