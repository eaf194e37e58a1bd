{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:pitchstream:schema:row:1.1",
  "title": "Row of one pitch",
  "description": "The value of a record of the rows topic, keyed by pitch_id: every column of the table pitches, a missing value as null. A pitch that was deleted has no value (a tombstone). Later versions may have more members: ignore those that you do not know.",
  "$comment": "Made from schemas/columns.go by go run ./cmd/gendocs: do not edit.",
  "type": "object",
  "properties": {
    "pitch_id": {
      "description": "The pitch's identity, lower case; missing: never",
      "$comment": "from: header pitch_id, else summary_acts.pitch.eventId, else a UUIDv5 of game and record",
      "type": "string",
      "format": "uuid",
      "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
    },
    "game_pk": {
      "description": "The game; range: 1–64 bytes; missing: where neither header nor key names one",
      "$comment": "from: header game_pk, else the record's key",
      "type": [
        "string",
        "null"
      ],
      "minLength": 1,
      "maxLength": 64
    },
    "game_date": {
      "description": "The game's calendar date; range: 1800-01-01 and later; missing: where the header is absent or no date",
      "$comment": "from: header game_date",
      "type": [
        "string",
        "null"
      ],
      "format": "date",
      "pattern": "^(1[89]|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
    },
    "venue": {
      "description": "The ballpark; range: 1–64 bytes; missing: where the header is absent or unreadable",
      "$comment": "from: header venue",
      "type": [
        "string",
        "null"
      ],
      "minLength": 1,
      "maxLength": 64
    },
    "batter_id": {
      "description": "The batter; missing: where nobody names one that can be read: the tracking system names one only where the ball was hit",
      "$comment": "from: identify, else header batter_id, else events[0].personId.mlbId",
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9223372036854775808,
      "maximum": 9223372036854775807
    },
    "pitcher_id": {
      "description": "The pitcher; missing: where the game feed names none",
      "$comment": "from: identify, else header pitcher_id",
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9223372036854775808,
      "maximum": 9223372036854775807
    },
    "team_id": {
      "description": "The batter's team; missing: where nobody names one",
      "$comment": "from: identify, else header team_id, else events[0].teamId.mlbId",
      "type": [
        "integer",
        "null"
      ],
      "minimum": -9223372036854775808,
      "maximum": 9223372036854775807
    },
    "inning": {
      "description": "The inning; range: 1–50; missing: where the record has none, or one of another type or out of range (then issues names it)",
      "$comment": "from: length of summary_score.runs.innings",
      "type": [
        "integer",
        "null"
      ],
      "minimum": 1,
      "maximum": 50
    },
    "balls": {
      "description": "Balls in the plate appearance; range: 0–4; missing: where the record has none, or one of another type or out of range (then issues names it)",
      "$comment": "from: summary_score.count.balls.plateAppearance",
      "type": [
        "integer",
        "null"
      ],
      "minimum": 0,
      "maximum": 4
    },
    "strikes": {
      "description": "Strikes in the plate appearance; range: 0–3; missing: where the record has none, or one of another type or out of range (then issues names it)",
      "$comment": "from: summary_score.count.strikes.plateAppearance",
      "type": [
        "integer",
        "null"
      ],
      "minimum": 0,
      "maximum": 3
    },
    "outs": {
      "description": "Outs in the inning; range: 0–3; missing: where the record has none, or one of another type or out of range (then issues names it)",
      "$comment": "from: summary_score.outs.inning",
      "type": [
        "integer",
        "null"
      ],
      "minimum": 0,
      "maximum": 3
    },
    "pitch_type": {
      "description": "The pitch's type, as FourSeamFastball; range: 1–200 bytes; missing: where the record has none (75 % of real records), or no text of 1–200 bytes",
      "$comment": "from: summary_acts.pitch.type",
      "type": [
        "string",
        "null"
      ],
      "minLength": 1,
      "maxLength": 200
    },
    "pitch_result": {
      "description": "What came of the pitch; range: Strike, Ball, HitIntoPlay, Pickoff; missing: where the record has none or another word (issue pitch_result:unknown)",
      "$comment": "from: summary_acts.pitch.result",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "Strike",
        "Ball",
        "HitIntoPlay",
        "Pickoff",
        null
      ]
    },
    "pitch_action": {
      "description": "What the batter or pitcher did, as Foul, Called, FoulTip; range: 1–200 bytes; missing: where the record has none, or no text of 1–200 bytes",
      "$comment": "from: summary_acts.pitch.action",
      "type": [
        "string",
        "null"
      ],
      "minLength": 1,
      "maxLength": 200
    },
    "pitch_speed_mph": {
      "description": "Speed of the pitch; unit: mph; range: 50–110; missing: where the record has none, or one of another type, in another unit or out of range (then issues names it)",
      "$comment": "from: summary_acts.pitch.speed.mph",
      "type": [
        "number",
        "null"
      ],
      "minimum": 50,
      "maximum": 110
    },
    "spin_rate_rpm": {
      "description": "Spin of the pitch; unit: rpm; range: 500–4000; missing: where the record has none, or one of another type or out of range (then issues names it)",
      "$comment": "from: summary_acts.pitch.spin.rpm",
      "type": [
        "number",
        "null"
      ],
      "minimum": 500,
      "maximum": 4000
    },
    "exit_velocity_mph": {
      "description": "Speed of the ball off the bat; unit: mph; range: 0–125; missing: where the record has none, or one of another type, in another unit or out of range (then issues names it)",
      "$comment": "from: summary_acts.hit.speed.mph",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 125
    },
    "hit_spin_rpm": {
      "description": "Spin of the ball off the bat; unit: rpm; range: 0–10000; missing: where the record has none, or one of another type or out of range (then issues names it)",
      "$comment": "from: summary_acts.hit.spin.rpm",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 10000
    },
    "launch_angle_deg": {
      "description": "Vertical angle of the ball off the bat, up positive; unit: degree; range: −90–90; missing: where the record has none, or one of another type, in another unit or out of range (then issues names it)",
      "$comment": "from: events[0].start.angle[1]",
      "type": [
        "number",
        "null"
      ],
      "minimum": -90,
      "maximum": 90
    },
    "spray_angle_deg": {
      "description": "Horizontal angle of the ball off the bat; unit: degree; range: −180–180; missing: where the record has none, or one of another type, in another unit or out of range (then issues names it)",
      "$comment": "from: events[0].start.angle[0]",
      "type": [
        "number",
        "null"
      ],
      "minimum": -180,
      "maximum": 180
    },
    "is_swing": {
      "description": "A bat movement was tracked; missing: never",
      "$comment": "from: samples_bat with any position; the single sample {\"event\": \"No\"} is none",
      "type": "boolean"
    },
    "is_contact": {
      "description": "The bat met the ball; missing: never",
      "$comment": "from: exit velocity present, or action Foul",
      "type": "boolean"
    },
    "is_whiff": {
      "description": "A swing that missed; missing: never",
      "$comment": "from: is_swing and not is_contact",
      "type": "boolean"
    },
    "swing_confidence": {
      "description": "Whether the play agrees that the tracked movement was a swing; range: confirmed, suspected; missing: where is_swing is false",
      "$comment": "from: action Swinging or Foul, or result HitIntoPlay: confirmed; else suspected",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "confirmed",
        "suspected",
        null
      ]
    },
    "attack_angle_deg": {
      "description": "Vertical angle of the bat head's path where it is fastest, up positive; unit: degree; range: −45–45; missing: where is_swing is false, with fewer than 3 samples, where the head never moved sideways, or out of range (then issues names it)",
      "$comment": "from: samples_bat[].head.pos at the segment of greatest horizontal speed: atan2(dz, hypot(dx, dy))",
      "type": [
        "number",
        "null"
      ],
      "minimum": -45,
      "maximum": 45
    },
    "bat_speed_mph": {
      "description": "Bat speed at the sweet spot; unit: mph; range: 0–120; missing: where is_swing is false, with fewer than 10 usable samples or no usable window, or out of range (then issues names it)",
      "$comment": "from: samples_bat[], greatest speed over 3 frames of the point 0.5 ft from the head: distance/dt × 0.681818",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 120
    },
    "speed_confidence": {
      "description": "Whether bat_speed_mph can be trusted; range: reliable, questionable; missing: where is_swing is false",
      "$comment": "from: at least 5 windows accepted, at most 20 % rejected, speed at most 95 mph: reliable; else questionable",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "reliable",
        "questionable",
        null
      ]
    },
    "bat_samples": {
      "description": "Bat samples; range: 0 and more; missing: never",
      "$comment": "from: length of samples_bat after deduplication",
      "type": "integer",
      "minimum": 0,
      "maximum": 2147483647
    },
    "ball_samples": {
      "description": "Ball samples; range: 0 and more; missing: never",
      "$comment": "from: length of samples_ball after deduplication",
      "type": "integer",
      "minimum": 0,
      "maximum": 2147483647
    },
    "duplicate_samples": {
      "description": "Samples that deduplication dropped; range: 0 and more; missing: never",
      "$comment": "from: samples of both arrays with the time of an earlier one",
      "type": "integer",
      "minimum": 0,
      "maximum": 2147483647
    },
    "issues": {
      "description": "What was wrong with the record's values, as column:type, column:range, column:unit, column:unknown or array:conflict, sorted, each once; missing: never; empty where nothing was wrong",
      "$comment": "from: every step",
      "type": "array",
      "items": {
        "type": "string",
        "pattern": "^[a-z_]+:[a-z]+$"
      },
      "uniqueItems": true
    },
    "release_speed_mph": {
      "description": "Speed of the pitch 50 ft from the plate; unit: mph; range: 0–125; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate, or out of range (then issues names it)",
      "$comment": "from: samples_ball[], parabola through the flight",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 125
    },
    "plate_speed_mph": {
      "description": "Speed of the pitch at the front of the plate; unit: mph; range: 0–125; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate, or out of range (then issues names it)",
      "$comment": "from: samples_ball[], parabola through the flight",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 125
    },
    "plate_time_s": {
      "description": "When the pitch crosses the front of the plate, on the record's clock; unit: second; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate",
      "$comment": "from: samples_ball[], parabola through the flight",
      "type": [
        "number",
        "null"
      ]
    },
    "plate_x_ft": {
      "description": "Where the pitch crosses the front of the plate, or would have: from its middle to the catcher's right; unit: foot; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate",
      "$comment": "from: samples_ball[], parabola through the flight",
      "type": [
        "number",
        "null"
      ]
    },
    "plate_z_ft": {
      "description": "Where the pitch crosses the front of the plate, or would have: above the ground; unit: foot; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate",
      "$comment": "from: samples_ball[], parabola through the flight",
      "type": [
        "number",
        "null"
      ]
    },
    "vertical_approach_deg": {
      "description": "Vertical approach angle, down negative; unit: degree; range: −90–90; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate",
      "$comment": "from: atan2(vz, −vy) at the front of the plate",
      "type": [
        "number",
        "null"
      ],
      "minimum": -90,
      "maximum": 90
    },
    "horizontal_approach_deg": {
      "description": "Horizontal approach angle, toward the catcher's right positive; unit: degree; range: −90–90; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate",
      "$comment": "from: atan2(vx, −vy) at the front of the plate",
      "type": [
        "number",
        "null"
      ],
      "minimum": -90,
      "maximum": 90
    },
    "horizontal_break_in": {
      "description": "Horizontal break, toward the catcher's right positive; unit: inch; range: −40–40; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate, or out of range (then issues names it)",
      "$comment": "from: ½·ax·T², T from 50 ft to the front of the plate",
      "type": [
        "number",
        "null"
      ],
      "minimum": -40,
      "maximum": 40
    },
    "induced_vertical_break_in": {
      "description": "Vertical break without gravity, up positive; unit: inch; range: −40–40; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate, or out of range (then issues names it)",
      "$comment": "from: ½·(az + 32.174)·T², T from 50 ft to the front of the plate",
      "type": [
        "number",
        "null"
      ],
      "minimum": -40,
      "maximum": 40
    },
    "flight_rms_ft": {
      "description": "How far the samples of the flight are from the parabola; unit: foot; missing: where the track of the ball has no flight of 6 samples",
      "$comment": "from: samples_ball[], residuals of the parabola",
      "type": [
        "number",
        "null"
      ]
    },
    "in_zone": {
      "description": "Whether the ball touches the strike zone; missing: where the track of the ball has no flight of 6 samples within 0.05 ft of a parabola that reaches the plate",
      "$comment": "from: plate_x_ft, plate_z_ft; the headers zone_top_ft and zone_bottom_ft, else 3.5 and 1.5 ft",
      "type": [
        "boolean",
        "null"
      ]
    },
    "is_chase": {
      "description": "A swing at a pitch outside the zone; missing: where is_swing is false, or in_zone is missing",
      "$comment": "from: is_swing and not in_zone",
      "type": [
        "boolean",
        "null"
      ]
    },
    "contact_time_s": {
      "description": "When bat and ball met or were nearest, on the record's clock; unit: second; missing: where is_swing is false, or with fewer than 10 sweet spots or none of the three sources within the swing",
      "$comment": "from: the mark Hit or Nearest in samples_bat, else where the ball turned, else where the bat was nearest to it",
      "type": [
        "number",
        "null"
      ]
    },
    "contact_source": {
      "description": "What contact_time_s is from; range: event, ball, nearest; missing: where contact_time_s is",
      "$comment": "from: the first of the three sources of contact_time_s that serves",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "event",
        "ball",
        "nearest",
        null
      ]
    },
    "contact_bat_speed_mph": {
      "description": "Speed of the sweet spot at contact; unit: mph; range: 0–125; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it, or out of range (then issues names it)",
      "$comment": "from: samples_bat[], a quadratic through the last six frames before contact",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 125
    },
    "contact_bat_speed_error_mph": {
      "description": "Standard error of contact_bat_speed_mph, if the track is right; unit: mph; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it",
      "$comment": "from: the residuals of the same quadratic",
      "type": [
        "number",
        "null"
      ]
    },
    "contact_bat_speed_spread_mph": {
      "description": "By how much three estimates of the speed at contact differ; unit: mph; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it",
      "$comment": "from: the quadratic, the mean of the last three frames, a cubic through 20 ms of positions",
      "type": [
        "number",
        "null"
      ]
    },
    "contact_attack_angle_deg": {
      "description": "Vertical angle of the sweet spot's path at contact, up positive; unit: degree; range: −90–90; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it, or out of range (then issues names it)",
      "$comment": "from: samples_bat[], a quadratic through the last six frames before contact",
      "type": [
        "number",
        "null"
      ],
      "minimum": -90,
      "maximum": 90
    },
    "contact_attack_direction_deg": {
      "description": "Horizontal angle of the sweet spot's path at contact: 0 to the mound, positive toward right field; unit: degree; range: −180–180; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it",
      "$comment": "from: samples_bat[], a quadratic through the last six frames before contact",
      "type": [
        "number",
        "null"
      ],
      "minimum": -180,
      "maximum": 180
    },
    "contact_attack_direction_pull_deg": {
      "description": "The same, positive toward the batter's pull side; unit: degree; range: −180–180; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no handle",
      "$comment": "from: contact_attack_direction_deg and bat_side",
      "type": [
        "number",
        "null"
      ],
      "minimum": -180,
      "maximum": 180
    },
    "bat_side": {
      "description": "The side that the batter bats from; range: R, L; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no handle",
      "$comment": "from: mean x of the handle in the 20 ms before contact",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "R",
        "L",
        null
      ]
    },
    "swing_path_tilt_deg": {
      "description": "Angle between the ground and the plane of the swing; unit: degree; range: −90–90; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or fewer than 8 heads",
      "$comment": "from: samples_bat[], plane through the head's positions of the 40 ms before contact",
      "type": [
        "number",
        "null"
      ],
      "minimum": -90,
      "maximum": 90
    },
    "swing_length_ft": {
      "description": "Path of the head from the start of the swing to contact; unit: foot; range: 0–20; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it, or out of range (then issues names it)",
      "$comment": "from: samples_bat[].head.pos, from where it was last slower than 30 mph to contact",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 20
    },
    "time_to_contact_s": {
      "description": "Time from the start of the swing to contact; unit: second; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it",
      "$comment": "from: samples_bat[].head.pos, from where it was last slower than 30 mph to contact",
      "type": [
        "number",
        "null"
      ]
    },
    "intercept_x_ft": {
      "description": "Where the ball was met, or was when the bat was nearest: to the catcher's right; unit: foot; range: −10–10; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no flight, or out of range (then issues names it)",
      "$comment": "from: the flight at contact_time_s",
      "type": [
        "number",
        "null"
      ],
      "minimum": -10,
      "maximum": 10
    },
    "intercept_y_ft": {
      "description": "Where the ball was met, or was when the bat was nearest: toward the mound from the plate's tip; unit: foot; range: −10–10; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no flight, or out of range (then issues names it)",
      "$comment": "from: the flight at contact_time_s",
      "type": [
        "number",
        "null"
      ],
      "minimum": -10,
      "maximum": 10
    },
    "intercept_z_ft": {
      "description": "Where the ball was met, or was when the bat was nearest: above the ground; unit: foot; range: −10–10; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no flight, or out of range (then issues names it)",
      "$comment": "from: the flight at contact_time_s",
      "type": [
        "number",
        "null"
      ],
      "minimum": -10,
      "maximum": 10
    },
    "contact_from_head_in": {
      "description": "From the head along the bat to the point nearest the ball, negative beyond the head; unit: inch; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no flight",
      "$comment": "from: cubics through head and handle of the 20 ms before contact, and the flight",
      "type": [
        "number",
        "null"
      ]
    },
    "miss_distance_in": {
      "description": "From the ball's centre to the axis of the bat; 2.6 inches where they touch; unit: inch; range: 0–60; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it or no flight, or out of range (then issues names it)",
      "$comment": "from: cubics through head and handle of the 20 ms before contact, and the flight",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 60
    },
    "squared_up_pct": {
      "description": "Share of the greatest possible exit velocity; unit: percent; range: 0–150; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it, with no exit velocity or plate speed, below 30 mph of bat speed, or out of range (then issues names it)",
      "$comment": "from: 100·exit velocity / (1.23·contact bat speed + 0.23·plate speed)",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 150
    },
    "is_squared_up": {
      "description": "The ball was squared up; missing: where squared_up_pct was not computed",
      "$comment": "from: squared_up_pct of at least 80",
      "type": [
        "boolean",
        "null"
      ]
    },
    "is_blast": {
      "description": "A fast swing that squared the ball up; missing: where squared_up_pct was not computed",
      "$comment": "from: squared_up_pct, at most 100, and contact_bat_speed_mph together at least 164",
      "type": [
        "boolean",
        "null"
      ]
    },
    "is_barrel": {
      "description": "A batted ball with the best exit velocity and launch angle; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it, or with no exit velocity or launch angle",
      "$comment": "from: exit velocity ≥ 98, launch angle ≤ 50, 1.5·EV − LA ≥ 117 and EV + LA ≥ 124",
      "type": [
        "boolean",
        "null"
      ]
    },
    "contact_confidence": {
      "description": "Whether the values at contact can be trusted; range: reliable, questionable; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it",
      "$comment": "from: contact_doubts: reliable where there are none",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "reliable",
        "questionable",
        null
      ]
    },
    "contact_doubts": {
      "description": "Reasons to question the values at contact, sorted, each once; range: ball, bat_length, handle_speed, late_change, speed, spread, tilt, turn_rate; missing: where is_swing is false, or with no contact in the track, or fewer than 7 sweet spots in the 35 ms before it",
      "$comment": "from: what no bat does, and what the estimates do not agree about",
      "type": [
        "array",
        "null"
      ],
      "items": {
        "enum": [
          "ball",
          "bat_length",
          "handle_speed",
          "late_change",
          "speed",
          "spread",
          "tilt",
          "turn_rate"
        ]
      },
      "uniqueItems": true
    },
    "end_bat_speed_mph": {
      "description": "Speed of the sweet spot at the end of the track; unit: mph; range: 0–125; missing: where is_swing is false, or with no contact in the track, or a track that ends less than 0.2 s after contact, or out of range",
      "$comment": "from: samples_bat[], the point 0.5 ft from the head over the last frames of 8–35 ms in all",
      "type": [
        "number",
        "null"
      ],
      "minimum": 0,
      "maximum": 125
    },
    "is_cut_short": {
      "description": "A swing and miss that was stopped in front of the plate: a sword, if it is slow for its batter; missing: where end_bat_speed_mph or pitch_result is missing, unless the ball was met or the pitch called; where is_swing is false",
      "$comment": "from: pitch_result Strike and pitch_action not Called or FoulTip, not is_contact; samples_bat[].head.pos goes past y = 22 in and stays there; end_bat_speed_mph of at most 20",
      "type": [
        "boolean",
        "null"
      ]
    },
    "at_bat_number": {
      "description": "The at-bat within the game, from 1: atBatIndex + 1 of the game feed; range: 1–999; missing: where no identify names one",
      "$comment": "from: identify: header at_bat_number",
      "type": [
        "integer",
        "null"
      ],
      "minimum": 1,
      "maximum": 999
    },
    "pitch_number": {
      "description": "The pitch within the at-bat, from 1; range: 1–999; missing: where no identify names one",
      "$comment": "from: identify: header pitch_number",
      "type": [
        "integer",
        "null"
      ],
      "minimum": 1,
      "maximum": 999
    },
    "batter_side": {
      "description": "The side that the batter bats from, as the game feed says it; range: R, L; missing: where no identify names one",
      "$comment": "from: identify: header batter_side",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "R",
        "L",
        null
      ]
    },
    "pitcher_hand": {
      "description": "The hand that the pitcher throws with, as the game feed says it; range: R, L; missing: where no identify names one",
      "$comment": "from: identify: header pitcher_hand",
      "type": [
        "string",
        "null"
      ],
      "enum": [
        "R",
        "L",
        null
      ]
    },
    "event_time": {
      "description": "When the pitch was thrown, to the millisecond; range: years 0001–9999; missing: never",
      "$comment": "from: header event_time, else the timestamp of the record's origin",
      "type": "string",
      "format": "date-time",
      "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z$"
    },
    "revision": {
      "description": "First part of the version: a correction carries a greater one; range: 0–9223372036854775807; missing: never; 0 where the header is absent",
      "$comment": "from: header revision",
      "type": "integer",
      "minimum": 0,
      "maximum": 9223372036854775807
    },
    "record_ts_ms": {
      "description": "Second part of the version; unit: Unix milliseconds; range: 0–253402300799999; missing: never",
      "$comment": "from: timestamp of the record's origin",
      "type": "integer",
      "minimum": 0,
      "maximum": 253402300799999
    },
    "source_topic": {
      "description": "Topic where the record first stood; missing: never",
      "$comment": "from: the record's origin",
      "type": "string",
      "minLength": 1
    },
    "source_partition": {
      "description": "Last part of the version: partition where the record first stood; range: 0 and more; missing: never",
      "$comment": "from: the record's origin",
      "type": "integer",
      "minimum": 0,
      "maximum": 2147483647
    },
    "source_offset": {
      "description": "Third part of the version: offset where the record first stood; range: 0 and more; missing: never",
      "$comment": "from: the record's origin",
      "type": "integer",
      "minimum": 0,
      "maximum": 9223372036854775807
    },
    "core_version": {
      "description": "Version of the core that computed the row; range: 1 and more; missing: never",
      "$comment": "from: the build",
      "type": "integer",
      "minimum": 1,
      "maximum": 2147483647
    },
    "build": {
      "description": "Build that wrote the row last; missing: never",
      "$comment": "from: the build",
      "type": "string",
      "minLength": 1
    },
    "processed_at": {
      "description": "When the row was written last; missing: never",
      "$comment": "from: the processor's clock",
      "type": "string",
      "format": "date-time",
      "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z$"
    }
  },
  "required": [
    "pitch_id",
    "game_pk",
    "game_date",
    "venue",
    "batter_id",
    "pitcher_id",
    "team_id",
    "inning",
    "balls",
    "strikes",
    "outs",
    "pitch_type",
    "pitch_result",
    "pitch_action",
    "pitch_speed_mph",
    "spin_rate_rpm",
    "exit_velocity_mph",
    "hit_spin_rpm",
    "launch_angle_deg",
    "spray_angle_deg",
    "is_swing",
    "is_contact",
    "is_whiff",
    "swing_confidence",
    "attack_angle_deg",
    "bat_speed_mph",
    "speed_confidence",
    "bat_samples",
    "ball_samples",
    "duplicate_samples",
    "issues",
    "event_time",
    "revision",
    "record_ts_ms",
    "source_topic",
    "source_partition",
    "source_offset",
    "core_version",
    "build",
    "processed_at"
  ],
  "allOf": [
    {
      "if": {
        "properties": {
          "is_swing": {
            "const": false
          }
        }
      },
      "then": {
        "properties": {
          "swing_confidence": {
            "type": "null"
          },
          "attack_angle_deg": {
            "type": "null"
          },
          "bat_speed_mph": {
            "type": "null"
          },
          "speed_confidence": {
            "type": "null"
          },
          "is_chase": {
            "type": "null"
          },
          "contact_time_s": {
            "type": "null"
          },
          "contact_bat_speed_mph": {
            "type": "null"
          },
          "contact_bat_speed_error_mph": {
            "type": "null"
          },
          "contact_bat_speed_spread_mph": {
            "type": "null"
          },
          "contact_attack_angle_deg": {
            "type": "null"
          },
          "contact_attack_direction_deg": {
            "type": "null"
          },
          "contact_attack_direction_pull_deg": {
            "type": "null"
          },
          "bat_side": {
            "type": "null"
          },
          "swing_path_tilt_deg": {
            "type": "null"
          },
          "swing_length_ft": {
            "type": "null"
          },
          "time_to_contact_s": {
            "type": "null"
          },
          "intercept_x_ft": {
            "type": "null"
          },
          "intercept_y_ft": {
            "type": "null"
          },
          "intercept_z_ft": {
            "type": "null"
          },
          "contact_from_head_in": {
            "type": "null"
          },
          "miss_distance_in": {
            "type": "null"
          },
          "squared_up_pct": {
            "type": "null"
          },
          "is_barrel": {
            "type": "null"
          },
          "contact_confidence": {
            "type": "null"
          },
          "contact_doubts": {
            "type": "null"
          },
          "end_bat_speed_mph": {
            "type": "null"
          }
        }
      },
      "else": {
        "properties": {
          "swing_confidence": {
            "not": {
              "type": "null"
            }
          },
          "speed_confidence": {
            "not": {
              "type": "null"
            }
          }
        }
      }
    },
    {
      "if": {
        "properties": {
          "is_swing": {
            "const": true
          },
          "is_contact": {
            "const": false
          }
        }
      },
      "then": {
        "properties": {
          "is_whiff": {
            "const": true
          }
        }
      },
      "else": {
        "properties": {
          "is_whiff": {
            "const": false
          }
        }
      }
    }
  ]
}
