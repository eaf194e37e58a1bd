// Package crash kills the real binary under load and its servers, and cuts the connections in between, by a
// schedule that a seed gives. At the end the books must balance.
package crash
