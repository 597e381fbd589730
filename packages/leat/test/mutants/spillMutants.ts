import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/spill.test.ts"
const silent = "publish/spillSilence.test.ts"
const settled = "publish/spillSettled.test.ts"
const away = "publish/spillAway.test.ts"
const closing = "publish/spillClosing.test.ts"
const foundByDoubt = "publish/spillDoubt.test.ts"

/** Planted in what opens a spill and puts events into it: `publish/spill`. */
export const spillMutants: ReadonlyArray<Mutant> = [
  {
    name: "nobody looks where records stand that a spill has",
    file: "publish/spill/Spill.ts",
    find: `!runs.some(isUnplaced)`,
    replace: `runs.length > 0`,
    foundBy: foundByDoubt,
    test: "is read where no answer says"
  },
  {
    name: "records of a spill are taken to follow each other",
    file: "publish/spill/placed.ts",
    find: `base + BigInt(end - at))) end++`,
    replace: `base + BigInt(end - at)) || end < to) end++`,
    foundBy: "publish/spillPlaced.test.ts",
    test: "is read there, each for itself"
  },
  {
    name: "what was sent on is found in a spill",
    file: "publish/spill/placed.ts",
    find: `{ fromPosition }`,
    replace: `{ fromPosition: 0n }`,
    foundBy: "publish/spillPlaced.test.ts",
    test: "is behind what this leat has noted"
  },
  {
    name: "a spill that cannot be read has nothing",
    file: "publish/spill/placed.ts",
    find: `{ ...run, fate: "unknown", error }`,
    replace: `{ ...run, error }`,
    foundBy: "publish/spillPlaced.test.ts",
    test: "is unknown while it cannot be read"
  },
  {
    name: "what a spill may hold is not looked for before it goes there again",
    file: "publish/spill/Spill.ts",
    find: `if (this.#isOwing(partition)) answer`,
    replace: `if (part.isHeld && this.#isOwing(partition)) answer`,
    foundBy: foundByDoubt,
    test: "has what stands there, also where there is no room"
  },
  {
    name: "a spill has no bound",
    file: "publish/spill/Spill.ts",
    find: `batch.noticeBytes > bytesMax() - used`,
    replace: `batch.noticeBytes > Number.POSITIVE_INFINITY - used`,
    foundBy,
    test: "keeps events in the buffer while the spill is full"
  },
  {
    name: "closing gives nothing to the spill",
    file: "publish/spill/SinkSpill.ts",
    find: `if (!this.spill.isReady) return false`,
    replace: `return false`,
    foundBy,
    test: "gives what is buffered to the spill"
  },
  {
    name: "the spill of a topic has no partitions in its name",
    file: "publish/spill/openSpill.ts",
    find: `\${partitions}\${spillSuffix}`,
    replace: `\${spillSuffix}`,
    foundBy,
    test: "keeps what is published while its cluster is away"
  },
  {
    name: "a spill keeps what its cluster keeps of a topic",
    file: "publish/spill/openSpill.ts",
    find: `transport.ensure({ topic, partitions, retention: everything })`,
    replace: `transport.ensure({ topic, partitions })`,
    foundBy,
    test: "keeps what is on disk whatever the cluster there keeps"
  },
  {
    name: "a topic with a retention may be a spill",
    file: "publish/spill/openSpill.ts",
    find: `if (faults.length > 0) return`,
    replace: `if (faults.length > 9) return`,
    foundBy,
    test: "does not take a topic that may delete"
  },
  {
    name: "what is left of a stream that is not open yet is counted under its tag",
    file: "publish/spill/SinkSpill.ts",
    find: `Array.from(this.#sink.streams).find(isOf) ?? stream`,
    replace: `stream`,
    foundBy: "publish/spillOwners.test.ts",
    test: "counts what is left under its stream"
  },
  {
    name: "two destinations have one spill",
    file: "publish/spill/openSpill.ts",
    find: `.replaceAll(".", "_2e")`,
    replace: ``,
    foundBy: "publish/openSpill.test.ts",
    test: "never has the name of another"
  },
  {
    name: "what stands for a dot may stand in the name of another cluster",
    file: "publish/spill/openSpill.ts",
    find: `.replaceAll(/_(?=2e|5f)/g, "_5f")`,
    replace: ``,
    foundBy: "publish/openSpill.test.ts",
    test: "never has the name of another"
  },
  {
    name: "nobody is told that the next process sends something once more",
    file: "publish/spill/SinkSpill.ts",
    find: `    if (unsettled > 0)
`,
    replace: `    if (unsettled < 0)
`,
    foundBy: settled,
    test: "is told once more by the next process"
  },
  {
    name: "what was sent on has no room in a spill",
    file: "publish/spill/SpillRoom.ts",
    find: `return this.waiting + this.#underway + this.#endedBytes`,
    replace: `return this.waiting + this.#underway`,
    foundBy: settled,
    test: "is that of all on disk"
  },
  {
    name: "what is trimmed keeps its room",
    file: "publish/spill/SpillRoom.ts",
    find: `this.#endedBytes -= first.bytes`,
    replace: `this.#endedBytes -= 0`,
    foundBy: settled,
    test: "is that of all on disk"
  },
  {
    name: "what does not stand in a spill goes there before what is in front of it",
    file: "publish/spill/Spill.ts",
    find: `answer(part.unnoted.take(batch, from, to, part.at))
    else`,
    replace: `{
      const found = part.unnoted.take(batch, from, to, part.at)
      if (found.some(({ fate }) => fate === "stored")) answer(found)
      else this.#write(partition, part, ...sent)
    } else`,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has none of it"
  },
  {
    name: "a fence looks for nothing in a spill",
    file: "publish/spill/Spill.ts",
    find: `      yield* part.unnoted.look(place, partition, part, end)
`,
    replace: ``,
    foundBy: foundByDoubt,
    test: "says nothing of some records of a range, and has them"
  },
  {
    name: "a topic of another number of partitions takes what was spilled",
    file: "publish/spill/awayTransport.ts",
    find: `if (writer.partitions === partitions) return`,
    replace: `if (writer.partitions > 0) return`,
    foundBy: away,
    test: "is told to be started again"
  },
  {
    name: "a cluster that was away is waited for",
    file: "publish/spill/awayTransport.ts",
    find: `inTime("open", openMs * times, opening)`,
    replace: `opening`,
    foundBy: away,
    test: "is not waited for where its first opening then never comes back"
  },
  {
    name: "the writer of a cluster that was away is waited for",
    file: "publish/spill/awayTransport.ts",
    find: `inTime("openWriter", writerMs * times, asked)`,
    replace: `asked`,
    foundBy: away,
    test: "is not waited for where its first opening then never comes back"
  },
  {
    name: "a cluster that takes its time is never there",
    file: "publish/spill/awayTransport.ts",
    find: `opened(away, 2 ** longer, tell)`,
    replace: `opened(away, 1, tell)`,
    foundBy: away,
    test: "is waited for longer where it takes its time"
  },
  {
    name: "a cluster that is not there yet is no trouble",
    file: "publish/Sink.ts",
    find: `this.#away?.trouble() ?? `,
    replace: ``,
    foundBy: away,
    test: "shows why it is not there, as long as it lasts"
  },
  {
    name: "a cluster that was away is in trouble for ever",
    file: "publish/spill/awayTransport.ts",
    find: `present.cluster === undefined
        ? \`is not`,
    replace: `present.why !== ""
        ? \`is not`,
    foundBy: away,
    test: "shows why it is not there, as long as it lasts"
  },
  {
    name: "nobody tells of the topic of a cluster that was away",
    file: "publish/spill/awayTransport.ts",
    find: `      tell(\`\${sink} is not open yet, and is tried again: \${textOf(cause)}\`)`,
    replace: `      Effect.sync(() => textOf(cause))`,
    foundBy: away,
    test: "is not waited for where its first opening then never comes back"
  },
  {
    name: "the spill of another destination says how many partitions there are",
    file: "publish/spill/openSpill.ts",
    find: `/^[1-9][0-9]{0,5}$/.test(count)`,
    replace: `/[0-9]{1,6}$/.test(count)`,
    foundBy: "publish/openSpill.test.ts",
    test: "says of its own destination alone"
  },
  {
    name: "closing waits for no answer to what is sent on",
    file: "publish/spill/SinkSpill.ts",
    find: `      yield* this.#drain.leave
`,
    replace: ``,
    foundBy: closing,
    test: "closing waits for what is on its way from the spill"
  },
  {
    name: "closing waits for drivers without an end",
    file: "publish/spill/SinkSpill.ts",
    find: `endWithin(Fiber.interrupt(running), endMs)`,
    replace: `endWithin(Fiber.interrupt(running), 1e9)`,
    foundBy: closing,
    test: "closing has an end where the driver"
  },
  {
    name: "a disk that cannot trim may have a spill",
    file: "publish/spill/openSpill.ts",
    find: `if (transport.trim === undefined) {`,
    replace: `if (transport.topics === undefined) {`,
    foundBy: silent,
    test: "is refused where its disk gives no room back"
  },
  {
    name: "any position is taken for that of what was sent to a spill",
    file: "publish/spill/Spill.ts",
    find: `run.base !== undefined && run.base < begun`,
    replace: `run.base !== undefined && run.base < 0n`,
    foundBy: foundByDoubt,
    test: "is looked for where its position cannot be"
  },
  {
    name: "a spill of which nothing was settled is taken for empty",
    file: "publish/spill/SpillLanes.ts",
    find: `settled: settled ?? 0n,`,
    replace: `settled: settled ?? end,`,
    foundBy: "publish/spill.test.ts",
    test: "leaves what it holds to the next process"
  },
  {
    name: "what stands in for a cluster runs on when its sink is given up while it is opened",
    file: "publish/Sink.ts",
    find: `Effect.uninterruptible(
        Effect.flatMap(Effect.scope`,
    replace: `Effect.asSome(
        Effect.flatMap(Effect.scope`,
    foundBy: "givenUp.test.ts",
    test: "a stream with a spill"
  }
]
