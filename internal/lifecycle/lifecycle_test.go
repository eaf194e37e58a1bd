package lifecycle

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelpersRunUntilTheWorkHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var order []string
	err := Run(ctx, func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "work")
		return nil
	}, func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "helper")
		return ctx.Err()
	})
	require.NoError(t, err, "a helper that was stopped has not failed")
	require.Equal(t, []string{"work", "helper"}, order)
}

func TestFailedHelperEndsTheWork(t *testing.T) {
	broken := errors.New("broken")
	err := Run(t.Context(), func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}, func(context.Context) error { return broken })
	require.ErrorIs(t, err, broken)
}

func TestFailedWorkStopsItsHelpers(t *testing.T) {
	broken := errors.New("broken")
	err := Run(t.Context(), func(context.Context) error { return broken }, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
	require.ErrorIs(t, err, broken)
}
