-------------------------------- MODULE View --------------------------------
(***************************************************************************)
(* The way of a batter's aggregates from Postgres into Redis: snapshots     *)
(* with sequence numbers, pushes that come late or never, a batch that is   *)
(* written twice, a Redis that is emptied, and the sweep that compares the  *)
(* two. Readers believe Redis while a processor says ok in its heartbeat.   *)
(*                                                                          *)
(* The one pitch counts for batter "a", and a record gives it to batter     *)
(* "b". A batch that is written a second time returns the snapshot of the   *)
(* batter who has the pitch now, and not of the one who had it before.      *)
(***************************************************************************)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Procs, Without,
          MaxFaults   \* how many crashes, lost pushes and emptied servers

Batters == {"a", "b"}
Guard(name) == name \notin Without

VARIABLES
  has,     \* Postgres: the batter of the pitch
  seq,     \* Postgres: the sequence number of each batter's last change
  clock,   \* Postgres: the last sequence number given
  redis,   \* Redis: per batter the sequence number that its hash is of; 0: no key
  epoch,   \* Redis: the data set's name is there
  sends,   \* snapshots on their way to Redis: [batter, seq, by]
  ok,      \* the heartbeat of each processor
  alive,
  todo,    \* the record that moves the pitch: "new", "written", "unanswered" (written), "done"
  holder,  \* the processor that has the record's partition
  orphans, \* processors that died and whose partitions nobody has yet
  sweep,   \* the processors that must sweep
  faults

vars == <<has, seq, clock, redis, epoch, sends, ok, alive, todo, holder, orphans, sweep, faults>>

Init ==
  /\ has = "a" /\ clock = 1 /\ seq = [b \in Batters |-> IF b = "a" THEN 1 ELSE 0]
  /\ redis = seq /\ epoch = TRUE /\ sends = {} /\ ok = [q \in Procs |-> TRUE] /\ alive = [q \in Procs |-> TRUE]
  /\ todo = "new" /\ holder = (CHOOSE q \in Procs : TRUE) /\ orphans = {}
  /\ sweep = {} /\ faults = 0

\* Apply. The first write changes both batters; a repeated one changes nothing and returns the present owner only.
Write(q) ==
  /\ alive[q] /\ holder = q /\ todo # "done"
  /\ IF todo = "new"
     THEN /\ has' = "b" /\ clock' = clock + 1
          /\ seq' = [b \in Batters |-> clock + 1]
          /\ sends' = sends \cup {[batter |-> b, seq |-> clock + 1, by |-> q] : b \in Batters}
          /\ UNCHANGED sweep
     ELSE /\ sends' = sends \cup {[batter |-> has, seq |-> seq[has], by |-> q]}
          /\ sweep' = IF Guard("a batch that may have landed before is followed by a sweep") THEN sweep \cup {q} ELSE sweep
          /\ UNCHANGED <<has, seq, clock>>
  /\ todo' = "written"
  /\ UNCHANGED <<redis, epoch, ok, alive, holder, faults, orphans>>

\* The answer of a write that landed is lost, and its snapshots with it. The processor writes the batch again.
LoseAnswer(q) ==
  /\ alive[q] /\ holder = q /\ todo = "written" /\ faults < MaxFaults
  /\ sends' = {m \in sends : m.by # q}
  /\ todo' = "unanswered" /\ faults' = faults + 1
  /\ UNCHANGED <<has, seq, clock, redis, epoch, ok, alive, holder, sweep, orphans>>

\* A correction by another partition's processor: the present batter changes once more.
Correct(q) ==
  /\ alive[q] /\ clock < 3
  /\ clock' = clock + 1 /\ seq' = [seq EXCEPT ![has] = clock + 1]
  /\ sends' = sends \cup {[batter |-> has, seq |-> clock + 1, by |-> q]}
  /\ UNCHANGED <<has, redis, epoch, ok, alive, todo, holder, sweep, faults, orphans>>

Arrive(m) ==
  /\ m \in sends
  /\ sends' = sends \ {m}
  /\ redis' = IF redis[m.batter] < m.seq \/ ~Guard("a lower sequence number changes nothing")
              THEN [redis EXCEPT ![m.batter] = m.seq] ELSE redis
  /\ UNCHANGED <<has, seq, clock, epoch, ok, alive, todo, holder, sweep, faults, orphans>>

\* A push that fails: its processor says "not ok" and sweeps.
Fail(m, q) ==
  /\ m \in sends /\ m.by = q /\ alive[q] /\ faults < MaxFaults
  /\ sends' = sends \ {m} /\ faults' = faults + 1
  /\ sweep' = IF Guard("a push that failed is followed by a sweep") THEN sweep \cup {q} ELSE sweep
  /\ ok' = IF Guard("a push that failed takes back the word ok") THEN [ok EXCEPT ![q] = FALSE] ELSE ok
  /\ UNCHANGED <<has, seq, clock, redis, epoch, alive, todo, holder, orphans>>

\* The batch is committed when its snapshots were sent.
Commit(q) ==
  /\ alive[q] /\ holder = q /\ todo = "written" /\ \A m \in sends : m.by # q
  /\ todo' = "done"
  /\ UNCHANGED <<has, seq, clock, redis, epoch, sends, ok, alive, holder, sweep, faults, orphans>>

\* A crash takes the snapshots that were not sent with it.
Crash(q) ==
  /\ alive[q] /\ faults < MaxFaults /\ \E r \in Procs \ {q} : alive[r]
  /\ alive' = [alive EXCEPT ![q] = FALSE] /\ ok' = [ok EXCEPT ![q] = FALSE] /\ faults' = faults + 1
  /\ \E lost \in SUBSET {m \in sends : m.by = q} : sends' = sends \ lost
  /\ orphans' = orphans \cup {q} /\ sweep' = sweep \ {q}
  /\ UNCHANGED <<has, seq, clock, redis, epoch, todo, holder>>

\* Another one gets the partitions of a dead one.
Take(q, r) ==
  /\ alive[q] /\ r \in orphans
  /\ orphans' = orphans \ {r}
  /\ holder' = IF holder = r THEN q ELSE holder
  /\ sweep' = IF Guard("an assignment is followed by a sweep") THEN sweep \cup {q} ELSE sweep
  /\ UNCHANGED <<has, seq, clock, redis, epoch, sends, ok, alive, todo, faults>>

Empty ==
  /\ faults < MaxFaults
  /\ redis' = [b \in Batters |-> 0] /\ epoch' = FALSE /\ faults' = faults + 1
  /\ UNCHANGED <<has, seq, clock, sends, ok, alive, todo, holder, sweep, orphans>>

\* A processor finds that the epoch is gone.
Miss(q) ==
  /\ alive[q] /\ ~epoch /\ (ok[q] \/ q \notin sweep)
  /\ Guard("an emptied server is noticed")
  /\ ok' = [ok EXCEPT ![q] = FALSE] /\ sweep' = sweep \cup {q}
  /\ UNCHANGED <<has, seq, clock, redis, epoch, sends, alive, todo, holder, faults, orphans>>

\* The sweep reads both, and repairs by snapshots that are fenced as all others.
Sweep(q) ==
  /\ alive[q] /\ q \in sweep
  /\ redis' = [b \in Batters |-> IF redis[b] < seq[b] THEN seq[b] ELSE redis[b]]
  /\ epoch' = TRUE
  /\ sweep' = sweep \ {q} /\ ok' = [ok EXCEPT ![q] = TRUE]
  /\ UNCHANGED <<has, seq, clock, sends, alive, todo, holder, faults, orphans>>

Next ==
  \/ \E q \in Procs : Write(q) \/ LoseAnswer(q) \/ Correct(q) \/ Commit(q) \/ Crash(q) \/ Miss(q) \/ Sweep(q)
                      \/ (\E r \in Procs : Take(q, r)) \/ \E m \in sends : Arrive(m) \/ Fail(m, q)
  \/ Empty

Fairness == \A q \in Procs :
  /\ WF_vars(Write(q)) /\ WF_vars(Commit(q)) /\ WF_vars(\E r \in Procs : Take(q, r)) /\ WF_vars(Miss(q)) /\ WF_vars(Sweep(q))
  /\ WF_vars(\E m \in sends : Arrive(m))

Spec == Init /\ [][Next]_vars /\ Fairness

\* Nothing is under way, and all who live say that Redis equals Postgres: then it does.
IsQuiet == sends = {} /\ orphans = {} /\ sweep = {} /\ todo = "done" /\ epoch /\ \A q \in Procs : alive[q] => ok[q]
Equal == IsQuiet => redis = seq

\* Redis never shows an older state after a newer one, but for a server that was emptied.
NeverOlder == [][\A b \in Batters : redis'[b] < redis[b] => ~epoch']_vars

CaughtUp == <>[](redis = seq)
=============================================================================
