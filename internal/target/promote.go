package target

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/qualityrun"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// PromoteOptions say which target readers are to see, and what it may lack beside the one that they see.
type PromoteOptions struct {
	Live   Options
	Name   string
	MaxLag time.Duration // the longest that a record may have waited for a target that is caught up
	// AcceptMissing is how many pitches the target may lack, and AcceptMissingBatters how many batters.
	AcceptMissing, AcceptMissingBatters int64
	// MaxChanged is the share of the pitches in which a value may be another, or missing. New values are
	// none.
	MaxChanged float64
	// MaxFindings is how many findings of quality the target may have that the one before has not.
	MaxFindings int
	Force       bool   // promote it although it is not ready
	Reason      string // kept with By
	By          string // user and machine
}

// Promote moves the pointer and the views that readers use to a target, in one transaction. Without Force it
// refuses, with a *NotReadyError, a target that is behind the one that readers see, that no processor feeds,
// or that is beyond a limit.
func Promote(ctx context.Context, o PromoteOptions) (m Move, err error) {
	c, err := open(o.Live)
	if err != nil {
		return m, err
	}
	defer c.close()
	if err := c.books.Ensure(ctx); err != nil {
		return m, err
	}
	t, err := c.find(ctx, o.Name)
	if err != nil {
		return m, err
	}
	reasons, err := c.notReady(ctx, t, o.MaxLag, o.AcceptMissing)
	if err != nil {
		return m, err
	}
	beyond, err := c.beyondLimits(ctx, t, o)
	reasons = append(reasons, beyond...)
	if err != nil && !o.Force {
		return m, err
	}
	if err != nil { // as of a target of another build, which can be forced
		reasons = append(reasons, err.Error())
	}
	if len(reasons) > 0 && !o.Force {
		return m, &NotReadyError{o.Name, reasons}
	}
	return c.promote(ctx, o.Name, schemas.Promotion{
		Kind: "promote", By: o.By, Forced: o.Force, Reason: o.Reason, NotReady: reasons,
	})
}

// beyondLimits returns the limits that a target exceeds beside the one that readers see.
func (c *catalog) beyondLimits(
	ctx context.Context, t schemas.Target, o PromoteOptions,
) (reasons []string, err error) {
	seen, err := c.serving(ctx)
	if err != nil || seen.Name == t.Name {
		return nil, err
	}
	loss, err := c.books.Loss(ctx, seen, t, c.live.TopicRaw)
	if err != nil {
		return nil, err
	}
	reasons = lossReasons(loss, seen.Name, o)
	found, err := c.newFindings(ctx, seen, t)
	if err != nil {
		return reasons, err
	}
	// guard: target: one with new findings of quality is not promoted
	if len(found) > o.MaxFindings {
		const text = "quality has %d findings that %s has not: %s%s " +
			"(--promote-max-findings=%d promotes it with them)"
		named, more := found[:min(len(found), 5)], ""
		if len(found) > len(named) {
			more = fmt.Sprintf("; and %d more", len(found)-len(named))
		}
		names := strings.Join(named, "; ")
		reasons = append(reasons, fmt.Sprintf(text, len(found), seen.Name, names, more, len(found)))
	}
	return reasons, nil
}

// lossReasons returns the limits that a loss exceeds.
func lossReasons(l schemas.TargetLoss, seen string, o PromoteOptions) (reasons []string) {
	add := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	// guard: target: one that lacks pitches is not promoted
	if l.Pitches > o.AcceptMissing {
		add("it lacks %d pitches that %s has, as %s (--accept-missing=%d promotes it without them)",
			l.Pitches, seen, strings.Join(l.PitchExamples, ", "), l.Pitches)
	}
	// guard: target: one that lacks batters is not promoted
	if l.Batters > o.AcceptMissingBatters {
		add("it lacks %d batters that %s has, as %s (--accept-missing-batters=%d promotes it without them)",
			l.Batters, seen, strings.Join(l.BatterExamples, ", "), l.Batters)
	}
	share := float64(l.Changed) / float64(max(l.Both, 1))
	// guard: target: one in which too much changed is not promoted
	if share > o.MaxChanged {
		add("%d of %d pitches have other values than in %s, %.3g %%; the limit is %.3g %% "+
			"(see pitchstream target diff; --promote-max-changed)",
			l.Changed, l.Both, seen, 100*share, 100*o.MaxChanged)
	}
	return reasons
}

// judgedDays is how many days up to the newest of a target are judged.
const judgedDays = 7

// newFindings returns what quality finds in the newest days of a target, and not in the same days of the one
// that readers see.
func (c *catalog) newFindings(ctx context.Context, seen, t schemas.Target) ([]string, error) {
	day, is, err := c.findings(ctx, t, "")
	if err != nil || len(is) == 0 {
		return nil, err
	}
	_, was, err := c.findings(ctx, seen, day)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(is, func(f string) bool { return slices.Contains(was, f) }), nil
}

// findings returns what is beyond its limits in the days up to day, "" for the newest, which it returns too.
func (c *catalog) findings(
	ctx context.Context, t schemas.Target, day string,
) (newest string, found []string, err error) {
	postgres := pgsink.Config{URL: c.live.Postgres.Address(), Schema: t.Schema}
	// A processor computes once a minute. Until then a finding would be there on one side only.
	reports, err := qualityrun.Run(ctx, qualityrun.Options{
		Postgres: postgres, Day: day, Beside: true, Busy: func() {},
	})
	if err != nil || len(reports) == 0 {
		return day, nil, err
	}
	newest = cmp.Or(day, reports[0].Day)
	last, err := time.Parse(time.DateOnly, newest)
	if err != nil {
		return newest, nil, nil // it has no day
	}
	since := last.AddDate(0, 0, 1-judgedDays).Format(time.DateOnly)
	reports, err = qualityrun.Run(ctx, qualityrun.Options{
		Postgres: postgres, Day: newest, Since: since, Stored: true,
	})
	for _, r := range reports {
		for _, f := range r.Findings {
			if f.Abnormal {
				name := fmt.Sprintf("%s %s at %s %s", r.Day, f.Check, f.Venue, f.Item)
				found = append(found, strings.TrimSpace(name))
			}
		}
	}
	return newest, found, err
}

// History returns the changes of what readers see, the newest first, at most 1,000.
func History(ctx context.Context, live Options) ([]schemas.Promotion, error) {
	c, err := open(live)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return c.books.Promotions(ctx, 1000)
}
