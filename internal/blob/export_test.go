package blob

// LimitList sets how many files a list may have, and returns a function that undoes it.
func LimitList(n int) (undo func()) {
	was := maxListed
	maxListed = n
	return func() { maxListed = was }
}
