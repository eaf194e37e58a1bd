r.contact_bat_speed_mph AS contact_speed, r.swing_length_ft AS swing_length, r.contact_attack_angle_deg AS contact_attack,
r.is_squared_up, r.is_blast,
coalesce(r.contact_confidence = 'reliable' AND r.contact_bat_speed_mph IS NOT NULL, false) AS is_reliable,
coalesce(r.contact_bat_speed_mph >= 60 AND r.exit_velocity_mph >= 90, false) AS is_hard
