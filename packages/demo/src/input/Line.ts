import type { BeaconSighting } from "../gen/risk/v1/beacon.ts"
import type { LogLine } from "../gen/risk/v1/log.ts"

/** What one line of input turned out to be, or a line of a log with the trace behind it. */
export type Line =
  | { readonly kind: "sighting"; readonly event: BeaconSighting; readonly atUs: bigint }
  | { readonly kind: "log"; readonly event: LogLine; readonly atUs: bigint }
  /** `ref` is file:line. */
  | { readonly kind: "malformed"; readonly ref: string; readonly reason: string }
