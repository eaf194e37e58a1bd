package features

// This file fits polynomials through samples by least squares. A fit adds up powers of the time and solves
// the normal equations, so it needs no memory that grows with the samples. Callers measure time from where
// they read the polynomial, in units of the fitted span, because large powers would cost digits.

// maxDegree is the greatest degree of a polynomial here: positions at contact are cubics. Flights are
// parabolas, because gravity and drag are nearly constant. Speed and direction at contact are parabolas, too:
// a line would miss that the bat still gains speed, and a cubic of six frames would follow their noise.
const maxDegree = 3

// fit collects samples of up to three values each for a polynomial of a degree.
type fit struct {
	degree  int
	samples int
	// powers[k] is the sum of u^k, products[v][k] the sum of the value v times u^k.
	powers   [2*maxDegree + 1]float64
	products [3][maxDegree + 1]float64
}

// polynomial has the constant first.
type polynomial [maxDegree + 1]float64

// add takes the values of one sample at u.
func (f *fit) add(u float64, values point) {
	f.samples++
	power := 1.0
	for k := range 2*f.degree + 1 {
		f.powers[k] += power
		if k <= f.degree {
			f.products[0][k] += power * values.x
			f.products[1][k] += power * values.y
			f.products[2][k] += power * values.z
		}
		power *= u
	}
}

// solve returns the polynomials of the three values. All three have the same times, so one elimination serves
// them: position, or speed, attack angle and direction, are fitted together. constant is the first element of
// the inverse of the normal matrix, which turns the scatter of the samples into the variance of the
// constants. With fewer different u than coefficients the results are no numbers.
func (f *fit) solve() (of [3]polynomial, constant float64) {
	const values = maxDegree + 1 // the column from which the right-hand sides stand
	n := f.degree + 1
	var rows [maxDegree + 1][values + 4]float64
	for i := range n {
		for j := range n {
			rows[i][j] = f.powers[i+j]
		}
		for v := range 3 {
			rows[i][values+v] = f.products[v][i]
		}
	}
	rows[0][values+3] = 1
	// Rows hold the normal matrix, the right-hand sides of the three values, and the first unit vector.
	// The matrix is positive definite, so elimination needs no exchange of rows.
	for i := range n {
		for r := range n {
			if r == i {
				continue
			}
			factor := rows[r][i] / rows[i][i]
			for c := i; c < len(rows[r]); c++ {
				rows[r][c] -= factor * rows[i][c]
			}
		}
	}
	// The matrix is diagonal now, so each coefficient is a quotient.
	for i := range n {
		for v := range 3 {
			of[v][i] = rows[i][values+v] / rows[i][i]
		}
	}
	return of, rows[0][values+3] / rows[0][0]
}

// at returns the polynomial's value at u.
func (p *polynomial) at(u float64) float64 { return ((p[3]*u+p[2])*u+p[1])*u + p[0] }

// slope returns its derivative at u.
func (p *polynomial) slope(u float64) float64 { return (3*p[3]*u+2*p[2])*u + p[1] }
