package features

import (
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// check refuses what is JSON but not a pitch that we can read, in the order of the specification. Everything else that may
// be wrong with a record is an issue of its row, never a reason to drop a pitch.
func (d *decoder) check() *Rejection {
	if !d.isObject {
		return reject(schemas.CodeNotAPitch, "", "the record is not an object")
	}
	if d.values[pitchObject].kind != object {
		return reject(schemas.CodeNotAPitch, "summary_acts.pitch", "it is missing, empty or not an object")
	}
	if rej := d.samplesBat.check("samples_bat"); rej != nil {
		return rej
	}
	if rej := d.samplesBall.check("samples_ball"); rej != nil {
		return rej
	}
	if rej := d.events.check("events"); rej != nil {
		return rej
	}
	if rej := checkUnit("units.length", d.values[unitsLength], "foot"); rej != nil {
		return rej
	}
	return checkUnit("units.velocity", d.values[unitsVelocity], "mph")
}

// objects says whether a member is what it must be: missing or an array of objects.
type objects struct {
	wrong bool
	at    int // where wrong: the first element that is no object, or −1 where the member is no array
}

func (o objects) check(name string) *Rejection {
	switch {
	case !o.wrong:
		return nil
	case o.at < 0:
		return reject(schemas.CodeSchemaViolation, name, "it is there and not an array of objects")
	}
	return reject(schemas.CodeSchemaViolation, fmt.Sprintf("%s[%d]", name, o.at), "it is not an object")
}

func checkUnit(path string, v value, want string) *Rejection {
	if v.kind == missing || v.is(want) {
		return nil
	}
	return reject(schemas.CodeUnsupportedUnits, path, "it is not %q, the only unit that is read", want)
}
