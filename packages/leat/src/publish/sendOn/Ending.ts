/** How records that were kept in a spill or a fallback end when they are sent on: as legs do. */

export type Ending =
  | { readonly ending: "stored" }
  | { readonly ending: "dropped"; readonly reason: string }
  | { readonly ending: "deadLettered"; readonly reason: string; readonly topic: string }

/** Of an event that was carried to where its stream is written now. */
export interface Moved {
  readonly ending: "movedOut"
}

/** Of a record that its destination has refused. */
export type Unstored = Exclude<Ending, { readonly ending: "stored" }>

/** As consumers are told it. */
export function reasonOf(how: Unstored): string {
  return how.ending === "dropped" ? how.reason : how.ending
}
