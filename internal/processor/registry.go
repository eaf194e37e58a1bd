package processor

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// registryCondition is the name in /readyz of a schema registry that does not answer. The consumer uses it,
// too.
const registryCondition = "schema-registry"

// Encoder returns the encoder of the rows and dead letters that a processor with these options sends. If the
// rows have a schema, it is registered in the registry first, or looked up there. Encoder waits for a
// registry that does not answer; when ctx ends first, the encoder must not be used. It returns an error where
// the registry refuses the schema or the login.
func (o Options) Encoder(ctx context.Context, watch *Observer) (kafkasink.Encoder, error) {
	e := kafkasink.Encoder{RowsTopic: o.RowsTopic, DeadTopic: o.DeadTopic, Group: o.Group, Build: obs.Build()}
	if o.Registry == nil {
		return e, nil
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 2*time.Second
	isMet := true
	appendRow, err := backoff.Retry(ctx, func() (schemaregistry.AppendRow, error) {
		appendRow, err := o.Registry.RowWriter(ctx, o.RowsTopic, o.RowsFormat, o.RowsMustExist)
		// guard: registry: a refused schema stops the start
		if schemaregistry.IsPermanent(err) {
			err = backoff.Permanent(err)
		}
		return appendRow, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, wait time.Duration) {
			isMet = false
			watch.Condition(registryCondition, false, err.Error())
			o.Log.Warn("waiting for the schema registry", "error", err, "after", wait)
		}))
	if err == nil && !isMet {
		watch.Condition(registryCondition, true, "")
	}
	if ctx.Err() != nil && !errors.As(err, new(*schemaregistry.RefusedError)) {
		return e, nil
	}
	if appendRow != nil {
		e.AppendRow = appendRow
	}
	return e, err
}
