// Which of several live games are shown: those with a card in the list, and the one on the wall.

/** keepPlaces returns the games with a card, at most so many. They keep their places, although another one has the newest pitch, so that nobody clicks on the wrong one. */
export function keepPlaces(shown, live, most) {
  const now = new Map(live.map(g => [g.game_pk, g]));
  // guard: dashboard: cards keep their places | shown.filter(g => now.has(g.game_pk)) -> []
  const kept = shown.filter(g => now.has(g.game_pk)).map(g => g.game_pk);
  return [...new Set([...kept, ...now.keys()])].slice(0, most).map(pk => now.get(pk));
}

const rests = 600_000; // ms without a pitch after which the wall may show another game: a break between innings with a new pitcher takes three minutes

/**
 * onTheWall returns what the wall shows: {game_pk, pitches, at}, where at is when its last pitch was seen; null without a game. It stays
 * with a game while that has pitches, and goes on to the one with the newest pitch then. was is what it returned before. Where the
 * games are from memory nobody knows whether it has any, so it stays, and that time does not count.
 */
export function onTheWall(was, games, now, isMemory = false) {
  // guard: dashboard: the wall stays with a game while the list is from memory | was && isMemory -> false
  if (was && isMemory) return { ...was, at: now };
  const same = games.find(g => g.game_pk === was?.game_pk);
  if (same && same.pitches !== was.pitches) return { game_pk: same.game_pk, pitches: same.pitches, at: now };
  // guard: dashboard: the wall stays with a game | now - was.at < rests -> false
  if (same && (now - was.at < rests || same === games[0])) return was;
  return games.length ? { game_pk: games[0].game_pk, pitches: games[0].pitches, at: now } : null;
}
