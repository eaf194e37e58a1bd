//go:build !linux

package main

// niceness is for Linux.
func niceness() {}
