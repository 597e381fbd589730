import type { Mutant } from "./Mutant.ts"

const sequences = "deadLetters/property.test.ts"
const listing = "deadLetters/listing.test.ts"
const replaying = "deadLetters/replaying.test.ts"

/** Bugs of those who replay and drop dead letters. */
export const replayMutants: ReadonlyArray<Mutant> = [
  {
    name: "a replay is written down before it is stored",
    file: "deadLetters/replayLetters.ts",
    find: `    const answers = yield* storePage(replays, partition, records)`,
    replace: `    yield* resolve(deadLetters, partition, letters, { how: "replayed", by })
    const answers = yield* storePage(replays, partition, records)`,
    foundBy: "deadLetters/replaying.test.ts",
    test: "leaves what the topic of replays will never take"
  },
  {
    name: "a replay that is refused is written down as replayed",
    file: "deadLetters/replayLetters.ts",
    find: `letters.filter((_, index) => answers[index] === undefined)`,
    replace: `letters.filter((_, index) => answers[index] !== null)`,
    foundBy: replaying,
    test: "never take"
  },
  {
    name: "a replay is taken for a duplicate of the event",
    file: "deadLetters/replayLetters.ts",
    find: `headers: [replayHeader(letter.replays + 1), ...headers]`,
    replace: `headers`,
    foundBy: replaying,
    test: "from being a duplicate"
  },
  {
    name: "poison is replayed for ever",
    file: "deadLetters/replayLetters.ts",
    find: `if (letter.replays < replaysMax) return true`,
    replace: `if (letter.replays < replaysMax || letter.replays > 0) return true`,
    foundBy: replaying,
    test: "too often"
  },
  {
    name: "a replay has the time of the record, and may expire at once",
    file: "deadLetters/replayLetters.ts",
    find: `...headers], timeMs }`,
    replace: `...headers], timeMs: letter.timeMs ?? 0 }`,
    foundBy: replaying,
    test: "from being a duplicate"
  },
  {
    name: "a replay keeps to no rate",
    file: "transport/Pace.ts",
    find: `this.#dueMs = (hasWaited ? this.#dueMs : nowMs) +`,
    replace: `this.#dueMs = 0 *`,
    foundBy: replaying,
    test: "rate"
  },
  {
    name: "letters of two partitions are stored in one",
    file: "deadLetters/pages.ts",
    find: `page[0].partition !== letter.partition`,
    replace: `page[0].partition > letter.partition`,
    foundBy: sequences,
    test: "no letter is lost or made up, and order is kept"
  },
  {
    name: "the last page is forgotten",
    file: "deadLetters/pages.ts",
    find: `  yield* flush
  return done`,
    replace: `  return done`,
    foundBy: replaying,
    test: "replays what is chosen"
  },
  {
    name: "a dry run writes",
    file: "deadLetters/pages.ts",
    find: `const counted = isDryRun ?`,
    replace: `const counted = isDryRun && letters.length === 0 ?`,
    foundBy: replaying,
    test: "deletes nothing, and refuses to drop without one"
  },
  {
    name: "an event that fails anew after it was resolved is not seen",
    file: "deadLetters/DeadLetterIndex.ts",
    find: `known !== undefined && known.resolution === undefined`,
    replace: `known !== undefined`,
    foundBy: listing,
    test: "another failure"
  },
  {
    name: "a resolution is believed wherever it lies",
    file: "deadLetters/DeadLetterIndex.ts",
    find: ` || resolution.partition !== this.#partition) return`,
    replace: `) return`,
    foundBy: listing,
    test: "does not believe"
  },
  {
    name: "a letter is taken for one of a topic that was made anew",
    file: "deadLetters/DeadLetterIndex.ts",
    find: "return `${partition}/${position}/${replays}/${sums}/${topic}`",
    replace: "return `${partition}/${position}/${replays}/${topic}`",
    foundBy: listing,
    test: "once"
  },
  {
    name: "what was replayed is shown as dropped",
    file: "deadLetters/DeadLetterIndex.ts",
    find: `letter.resolution === undefined || resolution.how === "replayed"`,
    replace: `letter.resolution === undefined`,
    foundBy: listing,
    test: "dropped it too"
  },
  {
    name: "a resolution is read as a dead letter",
    file: "record/DeadLetter.ts",
    find: `  if (readResolution(headers) !== undefined) return undefined
`,
    replace: ``,
    foundBy: "record/DeadLetter.test.ts",
    test: "reads back as it was written, and is no dead letter"
  },
  {
    name: "a replay without rights counts as letters that cannot be replayed",
    file: "deadLetters/storePage.ts",
    find: `error !== undefined && !isOfRecord(error)`,
    replace: `error !== undefined && records.length === 0`,
    foundBy: replaying,
    test: "gives up"
  },
  {
    name: "what publishers could not store is replayed to a topic of a group",
    file: "deadLetters/listLetters.ts",
    find: `replays: which.undelivered }`,
    replace: `replays: \`\${which.undelivered}.replay\` }`,
    foundBy: "deadLetters/undelivered.test.ts",
    test: "replayed to the topic"
  },
  {
    name: "a replay makes the topic of services whose name was misspelt",
    file: "deadLetters/resolve.ts",
    find: `if ("undelivered" in which) yield*`,
    replace: `if ("nothing" in which) yield*`,
    foundBy: "deadLetters/undelivered.test.ts",
    test: "is not made"
  },
  {
    name: "letters of publishers are not found",
    file: "deadLetters/findTopics.ts",
    find: `return [...ofGroups, ...undelivered]`,
    replace: `return [...ofGroups]`,
    foundBy: "deadLetters/undelivered.test.ts",
    test: "is found"
  }
]
