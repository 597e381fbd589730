import { finish, rewrite, survey, type Survey } from "../../src/store/compaction.js"
import type { OpenStore } from "./openStore.js"

/** Compacts the first partition of a log. */
export function compact(open: OpenStore): void {
  const known: Survey = { last: new Map(), end: 0 }
  while (open.store.look(() => survey(open.store, 0, known)));
  for (let at: number | undefined = 0; at !== undefined;) {
    const position: number = at
    at = open.write((store) => rewrite(store, 0, known, position, 256))
  }
  open.write((store) => finish(store, 0, known))
}
