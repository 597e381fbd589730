/** Types of google.protobuf that leat's codec has; others are faults. */
export const wellKnown: ReadonlySet<string> = new Set(["google.protobuf.Timestamp", "google.protobuf.Duration"])
