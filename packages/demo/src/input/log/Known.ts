import type { LogLine } from "../../gen/risk/v1/log.ts"
import type { Stamp } from "./Stamp.ts"

/** What a line says of itself in a form that is known. Absent: it does not say. */
export interface Known {
  readonly stamp?: Stamp
  readonly severity?: LogLine["severity"]
  readonly host?: string
  readonly program?: string
  readonly processId?: number
  /** Class, module or logger that speaks. */
  readonly component?: string
  /** Where the message begins: what stands before it is what was taken out. */
  readonly messageAt: number
}

/** Longest head of a line, in characters: what stands behind it is message. It bounds what looking for heads can cost. */
export const headCharsMax = 1024
