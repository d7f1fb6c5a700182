// Copyright: (c) 2026, The Socle authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Pause is the first process of a pod: it holds the pod's namespaces until it is told to go, and buries orphans.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

var version = "unknown"

func bury() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 {
			return
		}
	}
}

func main() {
	for _, argument := range os.Args[1:] {
		if argument == "-v" || argument == "-V" {
			fmt.Println("pause", version)
			return
		}
	}
	told := make(chan os.Signal, 1)
	children := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-told:
			return
		case <-children:
			bury()
		}
	}
}
