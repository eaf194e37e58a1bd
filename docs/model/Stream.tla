------------------------------- MODULE Stream -------------------------------
(***************************************************************************)
(* The way of raw records into Postgres and into the topics of rows and     *)
(* dead letters: polls, the transaction of the store, rows that are sent    *)
(* early, the transaction of Kafka, revoked partitions, processors that     *)
(* die or sleep, and a Postgres that is restored from a backup.             *)
(*                                                                          *)
(* An action is one step that another process can see; a crash or a         *)
(* rebalance may come between any two. Without is a set of guards that are  *)
(* removed: with {} TLC finds no violation, and with any one guard it finds *)
(* one (see test/model). Names in comments are those of the Go code.        *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets, TLC

CONSTANTS Procs,        \* the processors
          None,         \* no processor
          Without,      \* names of the guards that are removed
          MaxFaults,    \* how many crashes, lost partitions and timed-out transactions
          MaxRestores,  \* how often Postgres comes back as it was when it was saved
          MaxRemakes,   \* how often the raw topic is deleted and created again under its name
          MaxSets,      \* how often a person sets the group's offset back, while no processor runs
          Longer        \* whether the second partition has two records, so that a write can jump over one

Parts == {"p1", "p2"}

\* A record is a version of the one pitch, above 0, or a record that the core rejects, 0. The pitch moved to
\* another game, so its versions are in both partitions. Each topic has records of its own.
Topics == << [p1 |-> <<0, 1>>, p2 |-> IF Longer THEN <<5, 2>> ELSE <<2>>], [p1 |-> <<0, 3>>, p2 |-> <<4>>] >>

Guard(name) == name \notin Without
Max(S) == CHOOSE x \in S : \A y \in S : y <= x

VARIABLES
  topic,    \* the index of the present raw topic, which stands for its id
  group,    \* Kafka: the group's offset of each partition; -1: none
  owner,    \* Kafka: the processor to which the coordinator has given a partition
  gen,      \* Kafka: how often a partition was given to somebody
  log,      \* Kafka: the rows topic. An entry is open (by a processor) or committed (by None)
  gtopic,   \* Kafka: the id of the topic that is committed with each offset, as its metadata
  own,      \* Kafka: whether a processor committed the offset, not a person
  dead,     \* Kafka: how many committed dead letters the rejected record of each topic has
  row,      \* Postgres: the version of the pitch; 0: none
  pos,      \* Postgres: stream_positions
  posTopic, \* Postgres: the id of the topic that each position is about
  known,    \* Postgres: dead_letters_from and dead_letters_below: offsets whose dead letters are committed
  saved,    \* a backup of Postgres
  s,        \* the processors
  faults, restores, sets

vars == <<topic, group, gtopic, own, owner, gen, log, dead, row, pos, posTopic, known, saved, s, faults, restores, sets>>

\* What few steps change.
rare == <<gtopic, own, known, sets>>

Raw == Topics[topic]
End(p) == Len(Raw[p])

NoPart == [gen |-> 0, next |-> 0, polled |-> 0, stored |-> 0, floor |-> 0, back |-> 0, none |-> FALSE,
           from |-> 0, below |-> 0]

\* gen: of the assignment, 0 if not owned.  next: everything below is in the store.  polled: everything below was
\* polled.  stored: the position in Postgres as last seen.  floor: the group's offset at the assignment.  back: where an
\* abort rewinds to.  none: the group has no offset yet.  from, below: the offsets whose dead letters are committed.
Idle == [alive |-> TRUE, at |-> [p \in Parts |-> NoPart],
         batch |-> {},       \* the partitions with records in the batch in hand
         send |-> 0,         \* the version of the pitch to send
         sent |-> 0,         \* the version that was sent and is not yet compared with the store
         again |-> 0,        \* the version that the comparison has found, to send next
         bad |-> 0,          \* dead letters to send
         note |-> {},        \* the partitions whose dead letters were committed, before Postgres knows it
         open |-> FALSE,     \* a transaction
         fenced |-> FALSE,   \* it timed out
         refill |-> "no"]    \* or "written", "published"

Dead == [Idle EXCEPT !.alive = FALSE]

NoneKnown == [from |-> 0, below |-> 0]

Init ==
  /\ topic = 1
  /\ group = [p \in Parts |-> -1]
  /\ owner = [p \in Parts |-> None]
  /\ gen = [p \in Parts |-> 0]
  /\ log = <<>> /\ dead = <<0, 0>>
  /\ gtopic = [p \in Parts |-> 1] /\ own = [p \in Parts |-> FALSE]
  /\ known = [p \in Parts |-> NoneKnown] /\ sets = 0
  /\ row = 0 /\ pos = [p \in Parts |-> 0] /\ posTopic = [p \in Parts |-> 1]
  /\ saved = <<>>
  /\ s = [q \in Procs |-> Idle]
  /\ faults = 0 /\ restores = 0

-----------------------------------------------------------------------------
\* The rows topic. Readers take the last committed entry, so what lies before one is forgotten here.

Committed(l) == {i \in 1..Len(l) : l[i].by = None}
Trim(l) == IF Committed(l) = {} THEN l ELSE SubSeq(l, Max(Committed(l)), Len(l))
Entry(q, v) == [by |-> q, v |-> v]
Aborted(l, q) == IF Guard("readers skip aborted transactions")
                 THEN SelectSeq(l, LAMBDA e : e.by # q)
                 ELSE Trim([i \in 1..Len(l) |-> IF l[i].by = q THEN Entry(None, l[i].v) ELSE l[i]])
Ended(l, q) == Trim([i \in 1..Len(l) |-> IF l[i].by = q THEN Entry(None, l[i].v) ELSE l[i]])
LastRow == IF Committed(log) = {} THEN 0 ELSE log[Max(Committed(log))].v

-----------------------------------------------------------------------------
\* Membership.

\* offsetOf: an offset of a former topic of this name is none.
OffsetOf(p) == IF gtopic[p] = topic \/ ~Guard("an offset of a former topic does not count") THEN group[p] ELSE -1

\* knownDeadLetters: the offset that a processor has committed says that the dead letters below it are committed. Without
\* a range yet, an empty one begins at next.
KnownAt(p, next) ==
  IF own[p] /\ OffsetOf(p) >= 0 /\ known[p].below > 0
  THEN [known[p] EXCEPT !.below = IF OffsetOf(p) > @ THEN OffsetOf(p) ELSE @]
  ELSE IF next > known[p].below THEN [from |-> next, below |-> next] ELSE known[p]

\* startOffsets, locate, place
Assign(q, p) ==
  /\ s[q].alive /\ owner[p] = None /\ s[q].at[p].gen = 0
  /\ posTopic[p] = topic \/ ~Guard("a topic made anew is a gap")
  /\ LET offset == OffsetOf(p)
         lower == IF Guard("reading starts at the position when it is lower") THEN pos[p] ELSE offset
         least == IF ~Guard("reading starts at the offset when it is lower") THEN pos[p]
                  ELSE IF lower < offset THEN lower ELSE offset
         first == IF offset < 0 THEN pos[p] ELSE least
         floor == IF offset < 0 THEN pos[p]
                  ELSE IF Guard("nothing is sent or committed below the floor") THEN offset ELSE least
         range == IF MaxSets = 0 THEN NoneKnown ELSE KnownAt(p, first)
     IN /\ s' = [s EXCEPT ![q].at[p] =
             [gen |-> gen[p] + 1, next |-> first, polled |-> first, stored |-> pos[p], floor |-> floor,
              back |-> first, none |-> offset < 0, from |-> range.from, below |-> range.below]]
        /\ known' = [known EXCEPT ![p] = range]
  /\ owner' = [owner EXCEPT ![p] = q]
  /\ gen' = [gen EXCEPT ![p] = @ + 1]
  /\ UNCHANGED <<topic, group, gtopic, own, sets, log, dead, row, pos, posTopic, saved, faults, restores>>

Owns(q, p) == owner[p] = q /\ s[q].at[p].gen = gen[p]
Has(q, p) == s[q].at[p].gen # 0

\* A rebalance, or a session that timed out: the processor does not know it yet.
Lose(p) ==
  /\ owner[p] # None /\ faults < MaxFaults
  /\ owner' = [owner EXCEPT ![p] = None]
  /\ faults' = faults + 1
  /\ UNCHANGED <<rare, topic, group, gen, log, dead, row, pos, posTopic, saved, s, restores>>

\* The batch is given up. The abort rewinds every partition that is left to the offset that the client believes committed.
Dropped(x) ==
  [x EXCEPT !.batch = {}, !.send = 0, !.sent = 0, !.again = 0, !.bad = 0, !.note = {}, !.open = FALSE, !.fenced = FALSE, !.refill = "no",
            !.at = [p \in Parts |->
               IF x.at[p].gen = 0 THEN NoPart
               ELSE IF Guard("an abort rewinds") THEN [x.at[p] EXCEPT !.next = x.at[p].back, !.polled = x.at[p].back]
               ELSE [x.at[p] EXCEPT !.next = x.at[p].polled]]]

\* onRevoked
Notice(q, p) ==
  /\ s[q].alive /\ Has(q, p) /\ ~Owns(q, p)
  /\ s' = [s EXCEPT ![q] = Dropped([@ EXCEPT !.at[p] = NoPart])]
  /\ log' = Aborted(log, q)
  /\ UNCHANGED <<rare, topic, group, owner, gen, dead, row, pos, posTopic, saved, faults, restores>>

\* A session that cannot go on starts over; its partitions are free.
Restarted(q) ==
  /\ s' = [s EXCEPT ![q] = Idle]
  /\ log' = Aborted(log, q)
  /\ owner' = [p \in Parts |-> IF owner[p] = q THEN None ELSE owner[p]]

-----------------------------------------------------------------------------
\* The live road.

IsBehind(q, p) == s[q].at[p].next < s[q].at[p].floor

Poll(q, p) ==
  /\ s[q].alive /\ Has(q, p) /\ s[q].refill = "no" /\ s[q].note = {}
  /\ s[q].at[p].polled < End(p)
  /\ IF IsBehind(q, p) THEN s[q].batch \subseteq {p} /\ s[q].at[p].polled < s[q].at[p].floor
     ELSE \A other \in s[q].batch : ~IsBehind(q, other)
  /\ s' = [s EXCEPT ![q].at[p].polled = @ + 1, ![q].batch = @ \cup {p}]
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, dead, row, pos, posTopic, saved, faults, restores>>

\* commitStart: the first offset of a group, before the store moves. The coordinator refuses a former owner.
CommitStart(q, p) ==
  /\ s[q].alive /\ p \in s[q].batch /\ s[q].at[p].none /\ Owns(q, p)
  /\ group' = [group EXCEPT ![p] = s[q].at[p].next]
  /\ gtopic' = [gtopic EXCEPT ![p] = topic] /\ own' = [own EXCEPT ![p] = TRUE]
  /\ s' = [s EXCEPT ![q].at[p].none = FALSE]
  /\ UNCHANGED <<topic, owner, gen, log, dead, row, pos, posTopic, known, sets, saved, faults, restores>>

\* How far the store may get: polls go on while those before them are written.
Reaches(q) == {to \in [Parts -> 0..2] : \A p \in Parts :
  /\ to[p] >= s[q].at[p].next
  /\ to[p] <= (IF p \in s[q].batch THEN s[q].at[p].polled ELSE s[q].at[p].next)}
Moved(q, to) == {p \in Parts : to[p] > s[q].at[p].next}
Written(q, to) == UNION {{Raw[p][i] : i \in (s[q].at[p].next + 1)..to[p]} : p \in Moved(q, to)}
WasSent(at, offset) == Guard("a group that is set back by hand sends no dead letter again") /\ at.from <= offset /\ offset < at.below
Rejected(q, to) == Cardinality({<<p, i>> \in Parts \X (1..2) :
  i > s[q].at[p].next /\ i <= to[p] /\ Raw[p][i] = 0 /\ ~WasSent(s[q].at[p], i - 1)})
Newest(versions) ==
  IF versions \ {0} = {} THEN row
  ELSE IF Guard("an older version never replaces a newer one") THEN Max(versions \cup {row})
  ELSE Max(versions)
MovedTo(p, to) == IF Guard("a position never moves back") /\ pos[p] > to THEN pos[p] ELSE to

\* What is sent: a version that lost against a newer one is not, because whoever wrote that one sends it.
ToSend(versions, otherwise) ==
  IF versions \ {0} # {} /\ Max(versions) >= row THEN Newest(versions) ELSE otherwise

\* Apply: rows and positions in one transaction. It is refused when a position is below what this session saw.
MayStore(q, to) ==
  /\ s[q].alive /\ s[q].refill = "no" /\ Moved(q, to) # {}
  /\ \A p \in s[q].batch : ~IsBehind(q, p) \* a batch in hand is finished when a partition comes that is to be refilled
  /\ \A p \in Moved(q, to) : ~s[q].at[p].none \/ ~Guard("the start is committed before the first write")
IsRefused(q, to) ==
  Guard("a write expects the position that was seen") /\ \E p \in Moved(q, to) : pos[p] < s[q].at[p].stored
Apply(q, to) ==
  /\ row' = Newest(Written(q, to))
  /\ pos' = [p \in Parts |-> IF p \in Moved(q, to) THEN MovedTo(p, to[p]) ELSE pos[p]]
Seen(at, to) == [at EXCEPT !.next = to, !.stored = Max({@, to})]

StoreTo(q, to) ==
  /\ MayStore(q, to)
  /\ IF IsRefused(q, to)
     THEN Restarted(q) /\ UNCHANGED <<row, pos>>
     ELSE
       /\ Apply(q, to)
       /\ s' = [s EXCEPT ![q].bad = @ + Rejected(q, to),
                         ![q].send = ToSend(Written(q, to), @),
                         ![q].at = [p \in Parts |-> IF p \in Moved(q, to) THEN Seen(s[q].at[p], to[p]) ELSE s[q].at[p]]]
       /\ UNCHANGED <<log, owner>>
  /\ UNCHANGED <<rare, topic, group, gen, dead, posTopic, saved, faults, restores>>

Store(q) == \E to \in Reaches(q) : StoreTo(q, to)

\* produceEarly and send: in a transaction, before or after the last poll of the batch.
Send(q) ==
  /\ s[q].alive /\ s[q].refill = "no" /\ s[q].sent = 0 /\ ~s[q].fenced
  /\ LET v == IF s[q].again # 0 THEN s[q].again ELSE s[q].send
     IN /\ v # 0
        /\ log' = Trim(Append(log, Entry(q, v)))
        /\ s' = [s EXCEPT ![q].sent = v, ![q].again = 0, ![q].open = TRUE,
                          ![q].send = IF s[q].again # 0 THEN @ ELSE 0]
  /\ UNCHANGED <<rare, topic, group, owner, gen, dead, row, pos, posTopic, saved, faults, restores>>

\* sendRows compares with the store after the rows are in their topic.
Compare(q) ==
  /\ s[q].alive /\ s[q].sent # 0 /\ s[q].refill = "no"
  /\ s' = [s EXCEPT ![q].sent = 0,
                    ![q].again = IF row # s[q].sent /\ Guard("rows are compared after they were sent") THEN row ELSE 0]
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, dead, row, pos, posTopic, saved, faults, restores>>

\* Dead letters outside of the transaction that commits their offsets.
SendDead(q) ==
  /\ ~Guard("dead letters and offsets are one transaction")
  /\ s[q].alive /\ s[q].bad > 0
  /\ dead' = [dead EXCEPT ![topic] = @ + s[q].bad]
  /\ s' = [s EXCEPT ![q].bad = 0]
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, row, pos, posTopic, saved, faults, restores>>

IsStored(q) == \A p \in s[q].batch : s[q].at[p].polled = s[q].at[p].next

Commit(q) ==
  /\ s[q].alive /\ s[q].batch # {} /\ s[q].send = 0 /\ s[q].sent = 0 /\ s[q].again = 0 /\ s[q].refill = "no"
  /\ \A p \in s[q].batch : ~IsBehind(q, p)
  /\ IsStored(q) \/ ~Guard("a batch is committed when all of it is stored")
  /\ \A p \in s[q].batch : ~s[q].at[p].none
  /\ s[q].bad = 0 \/ Guard("dead letters and offsets are one transaction")
  /\ IF ~s[q].fenced /\ ((\A p \in s[q].batch : Owns(q, p)) \/ ~Guard("Kafka refuses the commit of a former owner"))
     THEN
       /\ group' = [p \in Parts |-> IF p \in s[q].batch THEN s[q].at[p].polled ELSE group[p]]
       /\ gtopic' = [p \in Parts |-> IF p \in s[q].batch THEN topic ELSE gtopic[p]]
       /\ own' = [p \in Parts |-> own[p] \/ p \in s[q].batch]
       /\ log' = Ended(log, q)
       /\ dead' = [dead EXCEPT ![topic] = @ + s[q].bad]
       /\ s' = [s EXCEPT ![q].batch = {}, ![q].bad = 0, ![q].open = FALSE,
                         ![q].note = IF MaxSets > 0 /\ s[q].bad > 0 THEN s[q].batch ELSE {},
                         ![q].at = [p \in Parts |-> IF p \in s[q].batch
                            THEN [s[q].at[p] EXCEPT !.back = s[q].at[p].polled, !.next = s[q].at[p].polled]
                            ELSE s[q].at[p]]]
     ELSE
       /\ log' = Aborted(log, q)
       /\ s' = [s EXCEPT ![q] = Dropped(@)]
       /\ UNCHANGED <<group, gtopic, own, dead>>
  /\ UNCHANGED <<topic, owner, gen, row, pos, posTopic, known, sets, saved, faults, restores>>

\* noteDeadLetters: Postgres learns how far the dead letters are committed, after their commit.
Note(q) ==
  /\ s[q].alive /\ s[q].note # {}
  /\ known' = [p \in Parts |->
       IF p \in s[q].note /\ Has(q, p) /\ s[q].at[p].back > known[p].below
          /\ Guard("the range of the committed dead letters is stored after their commit")
       THEN [from |-> s[q].at[p].from, below |-> s[q].at[p].back] ELSE known[p]]
  /\ s' = [s EXCEPT ![q].note = {}]
  /\ UNCHANGED <<topic, group, gtopic, own, sets, owner, gen, log, dead, row, pos, posTopic, saved, faults, restores>>

-----------------------------------------------------------------------------
\* The refill of a partition whose store came back older than the group's offset (refill.go).

MayRefill(q, to) ==
  /\ s[q].alive /\ s[q].refill = "no" /\ Moved(q, to) # {} /\ s[q].batch = Moved(q, to)
  /\ \A p \in s[q].batch : IsBehind(q, p) /\ to[p] = s[q].at[p].polled
Refill(q, to) ==
  /\ row' = Newest(Written(q, to))
  /\ pos' = IF Guard("a refill moves the position when its rows are published") THEN pos
            ELSE [p \in Parts |-> IF p \in Moved(q, to) THEN MovedTo(p, to[p]) ELSE pos[p]]

RefillTo(q, to) ==
  /\ MayRefill(q, to)
  /\ IF IsRefused(q, to)
     THEN Restarted(q) /\ UNCHANGED <<row, pos>>
     ELSE
       /\ Refill(q, to)
       /\ s' = [s EXCEPT ![q].send = ToSend(Written(q, to), 0), ![q].refill = "written"]
       /\ UNCHANGED <<log, owner>>
  /\ UNCHANGED <<rare, topic, group, gen, dead, posTopic, saved, faults, restores>>

RefillStore(q) == \E to \in Reaches(q) : RefillTo(q, to)

\* republish: until the store has nothing newer. The transaction that it commits then is left out: rows are visible at once here.
RefillSend(q) ==
  /\ s[q].alive /\ s[q].refill = "written"
  /\ IF s[q].send # 0
     THEN /\ log' = Trim(Append(log, Entry(None, s[q].send)))
          /\ s' = [s EXCEPT ![q].sent = s[q].send, ![q].send = 0]
     ELSE /\ s' = [s EXCEPT ![q].sent = 0,
                            ![q].send = IF s[q].sent # 0 /\ row # s[q].sent THEN row ELSE 0,
                            ![q].refill = IF s[q].sent # 0 /\ row # s[q].sent THEN @ ELSE "published"]
          /\ UNCHANGED log
  /\ UNCHANGED <<rare, topic, group, owner, gen, dead, row, pos, posTopic, saved, faults, restores>>

MayMove(q, p) == s[q].alive /\ s[q].refill = "published" /\ s[q].batch = {p}
IsMoveRefused(q, p) == Guard("a write expects the position that was seen") /\ pos[p] < s[q].at[p].stored
RefillMoved(q, p) == pos' = [pos EXCEPT ![p] = MovedTo(p, s[q].at[p].polled)]

RefillMove(q, p) ==
  /\ MayMove(q, p)
  /\ IF IsMoveRefused(q, p)
     THEN Restarted(q) /\ UNCHANGED pos
     ELSE
       /\ RefillMoved(q, p)
       /\ s' = [s EXCEPT ![q].refill = "no", ![q].batch = {},
                         ![q].at[p] = [Seen(s[q].at[p], s[q].at[p].polled) EXCEPT
                           !.back = IF s[q].at[p].polled >= s[q].at[p].floor THEN s[q].at[p].floor ELSE @]]
       /\ UNCHANGED <<log, owner>>
  /\ UNCHANGED <<rare, topic, group, gen, dead, row, posTopic, saved, faults, restores>>

\* Positions are compared every few seconds, although no record comes: nothing else finds a restore at the end of a feed.
Look(q) ==
  /\ Guard("positions are compared without a record")
  /\ s[q].alive /\ \E p \in Parts : Has(q, p) /\ pos[p] < s[q].at[p].stored
  /\ Restarted(q)
  /\ UNCHANGED <<rare, topic, group, gen, dead, row, pos, posTopic, saved, faults, restores>>

-----------------------------------------------------------------------------
\* Faults.

\* kill -9. The coordinators notice later.
Crash(q) ==
  /\ s[q].alive /\ faults < MaxFaults
  /\ s' = [s EXCEPT ![q] = Dead]
  /\ faults' = faults + 1
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, dead, row, pos, posTopic, saved, restores>>

\* Postgres commits and the answer is lost: the processor tries again, or gives the batch up.
Unanswered(q) ==
  /\ faults < MaxFaults
  /\ \/ \E to \in Reaches(q) : \/ MayStore(q, to) /\ ~IsRefused(q, to) /\ Apply(q, to)
                               \/ MayRefill(q, to) /\ ~IsRefused(q, to) /\ Refill(q, to)
     \/ \E p \in Parts : MayMove(q, p) /\ ~IsMoveRefused(q, p) /\ UNCHANGED row /\ RefillMoved(q, p)
  /\ faults' = faults + 1
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, dead, posTopic, saved, s, restores>>

\* The same of the first offset of a group.
StartUnanswered(q, p) ==
  /\ s[q].alive /\ p \in s[q].batch /\ s[q].at[p].none /\ Owns(q, p) /\ faults < MaxFaults
  /\ group' = [group EXCEPT ![p] = s[q].at[p].next]
  /\ gtopic' = [gtopic EXCEPT ![p] = topic] /\ own' = [own EXCEPT ![p] = TRUE]
  /\ faults' = faults + 1
  /\ UNCHANGED <<topic, owner, gen, log, dead, row, pos, posTopic, known, sets, saved, s, restores>>

\* A batch is given up although no partition was lost: the store is too slow, or Kafka did not take the commit.
Drop(q) ==
  /\ s[q].alive /\ faults < MaxFaults
  /\ s[q].batch # {} \/ \E p \in Parts : s[q].at[p].polled # s[q].at[p].back
  /\ s' = [s EXCEPT ![q] = Dropped(@)]
  /\ log' = Aborted(log, q)
  /\ faults' = faults + 1
  /\ UNCHANGED <<rare, topic, group, owner, gen, dead, row, pos, posTopic, saved, restores>>

Expire(q, p) ==
  /\ ~s[q].alive /\ owner[p] = q
  /\ owner' = [owner EXCEPT ![p] = None]
  /\ UNCHANGED <<rare, topic, group, gen, log, dead, row, pos, posTopic, saved, s, faults, restores>>

\* The new process has the same transactional id, so its first request aborts what the old one left open.
Restart(q) ==
  /\ ~s[q].alive /\ \A p \in Parts : owner[p] # q
  /\ s' = [s EXCEPT ![q] = Idle]
  /\ log' = IF Guard("a restart aborts the open transaction") THEN Aborted(log, q) ELSE log
  /\ UNCHANGED <<rare, topic, group, owner, gen, dead, row, pos, posTopic, saved, faults, restores>>

\* A processor that slept for longer than its transaction may last.
TimeOut(q) ==
  /\ s[q].alive /\ s[q].open /\ ~s[q].fenced /\ faults < MaxFaults
  /\ log' = Aborted(log, q)
  /\ s' = [s EXCEPT ![q].fenced = TRUE]
  /\ faults' = faults + 1
  /\ UNCHANGED <<rare, topic, group, owner, gen, dead, row, pos, posTopic, saved, restores>>

\* A fenced processor finds out at its next request.
Fenced(q) ==
  /\ s[q].alive /\ s[q].fenced
  /\ Restarted(q)
  /\ UNCHANGED <<rare, topic, group, gen, dead, row, pos, posTopic, saved, faults, restores>>

Save ==
  /\ restores < MaxRestores /\ saved = <<>>
  /\ saved' = <<row, pos>>
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, dead, row, pos, posTopic, s, faults, restores>>

Restore ==
  /\ saved # <<>> /\ restores < MaxRestores /\ saved # <<row, pos>>
  /\ row' = saved[1] /\ pos' = saved[2]
  /\ restores' = restores + 1
  /\ UNCHANGED <<rare, topic, group, owner, gen, log, dead, posTopic, saved, s, faults>>

\* Somebody makes the raw topic anew. Every session ends, because the client does not know the new topic.
Remake ==
  /\ topic <= MaxRemakes
  /\ topic' = topic + 1
  /\ s' = [q \in Procs |-> IF s[q].alive THEN Idle ELSE s[q]]
  /\ owner' = [p \in Parts |-> None]
  /\ log' = SelectSeq(log, LAMBDA e : e.by = None)
  /\ UNCHANGED <<rare, group, gen, dead, row, pos, posTopic, saved, faults, restores>>

\* --accept-gap
Accept(p) ==
  /\ posTopic[p] # topic
  /\ posTopic' = [posTopic EXCEPT ![p] = topic]
  /\ pos' = [pos EXCEPT ![p] = 0]
  /\ known' = [known EXCEPT ![p] = NoneKnown]
  /\ UNCHANGED <<topic, group, gtopic, own, sets, owner, gen, log, dead, row, saved, s, faults, restores>>

\* A processor ends as an operator asks it to, with nothing in hand.
Leave(q) ==
  /\ sets < MaxSets /\ \A p \in Parts : gen[p] <= 1
  /\ s[q].alive /\ s[q].batch = {} /\ s[q].note = {} /\ s[q].refill = "no" /\ \E p \in Parts : Has(q, p)
  /\ Restarted(q)
  /\ UNCHANGED <<rare, topic, group, gen, dead, row, pos, posTopic, saved, faults, restores>>

\* kafka-consumer-groups --reset-offsets, which wants that nobody is in the group. The offset has no metadata then.
SetBack(p) ==
  /\ sets < MaxSets /\ \A other \in Parts : owner[other] = None
  /\ group[p] > 0
  /\ \E to \in 0..(group[p] - 1) : group' = [group EXCEPT ![p] = to]
  /\ gtopic' = [gtopic EXCEPT ![p] = topic] /\ own' = [own EXCEPT ![p] = FALSE]
  /\ sets' = sets + 1
  /\ UNCHANGED <<topic, known, owner, gen, log, dead, row, pos, posTopic, saved, s, faults, restores>>

-----------------------------------------------------------------------------
Work(q) ==
  \/ Store(q) \/ RefillStore(q) \/ Send(q) \/ Compare(q) \/ SendDead(q) \/ Commit(q) \/ RefillSend(q) \/ Restart(q) \/ Fenced(q) \/ Look(q)
  \/ Note(q) \/ Leave(q)
  \/ \E p \in Parts : Assign(q, p) \/ Notice(q, p) \/ Poll(q, p) \/ CommitStart(q, p) \/ RefillMove(q, p)
                      \/ Expire(q, p)

Next ==
  \/ \E q \in Procs : Work(q) \/ Crash(q) \/ TimeOut(q) \/ Unanswered(q) \/ Drop(q)
  \/ \E q \in Procs, p \in Parts : StartUnanswered(q, p)
  \/ \E p \in Parts : Lose(p) \/ Accept(p) \/ SetBack(p)
  \/ Save \/ Restore \/ Remake

\* The store takes everything that was polled, in the end.
StoreAll(q) ==
  LET to == [p \in Parts |-> IF p \in s[q].batch THEN s[q].at[p].polled ELSE s[q].at[p].next]
  IN StoreTo(q, to) \/ RefillTo(q, to)

Fairness ==
  /\ \A q \in Procs : WF_vars(StoreAll(q)) /\ WF_vars(Send(q)) /\ WF_vars(Compare(q)) /\ WF_vars(SendDead(q))
       /\ SF_vars(Commit(q)) /\ WF_vars(RefillSend(q)) /\ WF_vars(Restart(q)) /\ WF_vars(Fenced(q)) /\ WF_vars(Look(q))
       /\ WF_vars(Note(q))
  /\ \A q \in Procs, p \in Parts : WF_vars(Notice(q, p)) /\ WF_vars(Poll(q, p)) /\ WF_vars(CommitStart(q, p))
       /\ WF_vars(RefillMove(q, p)) /\ WF_vars(Expire(q, p))
  /\ \A p \in Parts : WF_vars(\E q \in Procs : Assign(q, p))

Spec == Init /\ [][Next]_vars /\ Fairness

-----------------------------------------------------------------------------
\* The promise.

\* Everything below a position is in the store, of the present topic if the position is about it. So nothing is lost, and
\* no gap is passed in silence.
NothingIsLost == \A p \in Parts : posTopic[p] = topic =>
  \A i \in 1..(IF pos[p] < End(p) THEN pos[p] ELSE End(p)) : Raw[p][i] <= row

\* Nothing that was committed is above what the store has, unless Postgres came back older and is refilled.
CommittedIsStored == restores = 0 => \A p \in Parts : gtopic[p] = topic /\ posTopic[p] = topic => group[p] <= pos[p]

\* The dead letter is visible with the offset behind it, and once, also where the group is set back.
OneDeadLetter ==
  /\ dead[topic] <= 1
  /\ gtopic["p1"] = topic /\ group["p1"] >= 1 => dead[topic] = 1
  /\ sets = 0 /\ ~(gtopic["p1"] = topic /\ group["p1"] >= 1) => dead[topic] = 0

IsQuiet == /\ \A p \in Parts : group[p] = End(p) /\ gtopic[p] = topic /\ pos[p] = End(p) /\ posTopic[p] = topic
           /\ \A q \in Procs : s[q].alive /\ s[q].batch = {} /\ s[q].send = 0 /\ s[q].sent = 0 /\ s[q].again = 0
           /\ \A i \in 1..Len(log) : log[i].by = None

\* Whoever reads the rows topic to its end has the rows of Postgres.
TopicIsCurrent == IsQuiet => LastRow = row

Safe == NothingIsLost /\ CommittedIsStored /\ OneDeadLetter /\ TopicIsCurrent

NothingGoesBack == [][
  /\ (row' < row => restores' > restores)
  /\ \A p \in Parts : group'[p] < group[p] => gtopic'[p] # gtopic[p] \/ sets' > sets
  /\ \A p \in Parts : pos'[p] < pos[p] => (restores' > restores \/ posTopic'[p] # posTopic[p])]_vars

CaughtUp == <>[]IsQuiet

\* Processors are alike.
Symmetry == Permutations(Procs)
=============================================================================
