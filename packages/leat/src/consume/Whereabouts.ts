/** Where the stream of a subscription lies, when it is moved while it is read. */
import type { Effect, Scope } from "effect"
import type { Placement } from "../control/Placement.ts"
import type { RouteError } from "../routes/Routes.ts"
import type { Transport, TransportError } from "../transport/index.ts"

export interface Whereabouts {
  /** Where the stream lies; undefined: nobody moves it, and it is read at its read leg. */
  readonly placement: () => Placement | undefined
  /** Calls `changed` after each change; returns how to stop that. */
  readonly watch: (changed: () => void) => () => void
  /** The cluster, held open until the scope closes. */
  readonly transportOf: (cluster: string) => Effect.Effect<Transport, TransportError | RouteError, Scope.Scope>
}
