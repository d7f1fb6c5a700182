# Copyright: (c) 2026, The Socle authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters are refused in the API's own words, and property strings survive being read and written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pvesim import disks, spec, validate
from pvesim.errors import ApiError

CONFIG = spec.load()["PUT", "/nodes/{node}/qemu/{vmid}/config"]


def errors(**params: Any) -> dict[str, str]:
    named = {name.replace("__", "-"): value for name, value in params.items()}
    try:
        validate.parameters(CONFIG, {"node": "pve1", "vmid": "100", **named})
    except ApiError as error:
        return error.errors or {}
    return {}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"onboot": "yes"}, "type check ('boolean') failed - got 'yes'"),
        ({"cores": "two"}, "type check ('integer') failed - got 'two'"),
        ({"cores": "0"}, "value must have a minimum value of 1"),
        ({"cores": ["1", "2"]}, "type check ('integer') failed - got ARRAY"),
        ({"cpulimit": "129"}, "value must have a maximum value of 128"),
        ({"bios": "efi"}, "value 'efi' does not have a value in the enumeration 'seabios, ovmf'"),
        ({"net32": "virtio"}, validate.UNKNOWN),
        ({"scsi": "local:1"}, validate.UNKNOWN),
        ({"description": "x" * 8193}, "value may only be 8192 characters long"),
        ({"name": "a_b"}, "invalid format - value does not look like a valid DNS name\n"),
        (
            {"net0": "virtio,tag=4095"},
            "invalid format - format error\nnet0.tag: value must have a maximum value of 4094\n",
        ),
        ({"startdate": "soon"}, "value does not match the regex pattern"),
    ],
)
def test_a_bad_value_is_named_with_its_text(params: dict[str, Any], text: str) -> None:
    """Would catch a refusal whose text clients match on and that has changed."""
    assert errors(**params) == {next(iter(params)): text}


def test_all_bad_parameters_come_together() -> None:
    """Would catch a check that stops at the first finding."""
    assert set(errors(onboot="x", cores="y", foo="z")) == {"onboot", "cores", "foo"}


def test_what_a_parameter_needs_is_missed_under_its_own_name() -> None:
    """Would catch `force` without `delete` passing, or the refusal under the wrong key."""
    assert errors(force="1") == {"delete": "missing property required by 'force'"}


def test_a_missing_parameter_is_named() -> None:
    """Would catch required parameters that are not required."""
    with pytest.raises(ApiError) as caught:
        validate.parameters(spec.load()["POST", "/pools"], {})
    assert caught.value.errors == {"poolid": "property is missing and it is not optional"}


@given(
    model=st.sampled_from(["virtio", "e1000", "vmxnet3"]),
    mac=st.from_regex(r"BC:24:11(:[0-9A-F]{2}){3}", fullmatch=True),
    options=st.dictionaries(
        st.sampled_from(["bridge", "tag", "firewall", "rate", "mtu"]), st.just("1"), min_size=0, max_size=5
    ),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_a_nic_reads_the_same_however_it_was_written(model: str, mac: str, options: dict[str, str], order: Any) -> None:
    """Would catch a normal form that loses a key or depends on the order sent."""
    keys = CONFIG.groups["net"]
    parts = [f"{k}={v}" for k, v in options.items()]
    order.shuffle(parts)
    short = ",".join([f"{model}={mac}", *parts])
    long = ",".join([f"model={model}", *parts, f"macaddr={mac}"])
    rendered = {
        validate.render_property_string(keys, validate.parse_property_string(keys, text)) for text in (short, long)
    }
    assert len(rendered) == 1
    assert validate.parse_property_string(keys, rendered.pop()) == {"model": model, "macaddr": mac, **options}


@given(st.integers(min_value=1, max_value=2**45))
def test_a_size_survives_being_written(size: int) -> None:
    """Would catch a disk that grows or shrinks only by being described."""
    assert disks.to_bytes(disks.to_text(size)) == size
