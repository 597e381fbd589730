import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { routeJsonSchema } from "leat"
import { json } from "../flags.ts"

/** Prints the JSON Schema of the document. */
export const schema = Command.make(
  "schema",
  { json },
  Effect.fnUntraced(function* (flags) {
    yield* Console.log(JSON.stringify(routeJsonSchema(), undefined, flags.json ? undefined : 2))
  })
).pipe(Command.withDescription("Print the JSON Schema of a route document, with which editors complete and check it"))
