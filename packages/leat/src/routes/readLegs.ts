/**
 * Where a document has its streams, whatever its clusters and policies are and whoever opens them: what an earlier build put in force may be refused by
 * this one. Nothing can be opened by it.
 */
import { Result } from "effect"
import { decodeDocument } from "./decodeDocument.ts"
import { type Leg, RouteBuilder } from "./Route.ts"
import { parseRouteText, type RouteFault } from "./RouteDocument.ts"

export interface ReadLegs {
  /** Of a stream, whoever publishes it. */
  readonly of: (stream: string) => ReadonlyArray<Leg>
  /** Of its form: what these are about is left out. */
  readonly faults: ReadonlyArray<RouteFault>
}

export function readLegs(document: string): ReadLegs {
  const value = parseRouteText(document)
  if (Result.isFailure(value)) return { of: () => [], faults: value.failure }
  const { faults, document: decoded } = decodeDocument(value.success)
  if (decoded === undefined) return { of: () => [], faults }
  const builder = new RouteBuilder(decoded, (cluster) => cluster)
  return { of: (stream) => builder.indexesOf(stream).map((index) => builder.build(index, stream).readLeg), faults }
}
