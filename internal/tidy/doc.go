// Package tidy holds the rules of docs/STYLE.md that neither the compiler nor a linter checks: who may import
// whom, what tests may not do, and how comments are written. Its tests read the source files and name each
// break by file and line. They start no other program, because the test cache would not see what that program
// reads.
//
// An exception carries its reason on its line: // tidy: REASON.
package tidy
