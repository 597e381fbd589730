import { Effect, type Option } from "effect"
import { checkDocument } from "../routes/checkDocument.ts"
import { faultText } from "../routes/faultText.ts"
import type { Finding } from "./findings.ts"

/** Faults of a route document as `doctor` tells them. */
export const checkRoutes = Effect.fnUntraced(function* (path: string, protoFolder: Option.Option<string>) {
  const { faults, notes } = yield* checkDocument(path, protoFolder, " by --routes")
  return [
    ...notes.map((note): Finding => ({ severity: "note", about: "routes", message: `${path}: ${note}` })),
    ...faults.map((fault): Finding => ({ severity: "wrong", about: "routes", message: faultText(path, fault) }))
  ]
})
