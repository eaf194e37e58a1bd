package simulate

import "container/heap"

// outbox holds messages until they are due. Its time counts pitches of the stream.
type outbox struct {
	now   int
	puts  int
	items outboxHeap
}

type outboxItem struct {
	due, seq int // of one time, what was put first goes first
	m        Message
}

func (o *outbox) put(due int, m Message) {
	o.puts++
	heap.Push(&o.items, outboxItem{due, o.puts, m})
}

// ready reports whether a message is due.
func (o *outbox) ready() bool { return len(o.items) > 0 && o.items[0].due <= o.now }

// flush makes all remaining messages due, in their order.
func (o *outbox) flush() { o.now = int(^uint(0) >> 1) }

func (o *outbox) pop() (m Message, ok bool) {
	if !o.ready() {
		return Message{}, false
	}
	return heap.Pop(&o.items).(outboxItem).m, true
}

type outboxHeap []outboxItem

func (h outboxHeap) Len() int { return len(h) }
func (h outboxHeap) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].seq < h[j].seq
}
func (h outboxHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *outboxHeap) Push(x any)   { *h = append(*h, x.(outboxItem)) }
func (h *outboxHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = outboxItem{}
	*h = (*h)[:last]
	return x
}
