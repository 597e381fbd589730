import type { Mutant } from "./Mutant.ts"

/** Bugs in what tables, records and notices say, found by `findTableFault`. */
export const tableMutants: ReadonlyArray<Mutant> = [
  {
    name: "the topics of a group may have names that are one character too long",
    file: "routes/groupTopicFault.ts",
    find: `longest <= topicCharactersMax`,
    replace: `longest <= topicCharactersMax + 1`,
    foundBy: "consume/endings.test.ts",
    test: "is refused before anything is read"
  },
  {
    name: "a group of a document may have topics whose names are too long",
    file: "routes/groupTopicFault.ts",
    find: `group.includes("*") ||`,
    replace: `group.length > 0 ||`,
    foundBy: "routes/groupTopicFault.test.ts",
    test: "a group of a document is refused"
  },
  {
    name: "a table may put a stream where its groups cannot have topics of their own",
    file: "routes/planRoutes.ts",
    find: `...pairs.flatMap(groupFaults)`,
    replace: ``,
    foundBy: "routes/groupTopicFault.test.ts",
    test: "a table is not put in force"
  },
  {
    name: "a move may go where a group cannot have topics of its own",
    file: "moves/planMove.ts",
    find: `placement?.groups ?? []`,
    replace: `[]`,
    foundBy: "moves/MoveTools.test.ts",
    test: "where a group of the stream could have no topics of its own"
  },
  {
    name: "a group may begin that cannot come along where its stream is going",
    file: "consume/Consuming.ts",
    find: `...epochs.map(({ place }) => place.topic)`,
    replace: ``,
    foundBy: "moves/reach.test.ts",
    test: "whose group would have topics"
  },
  {
    name: "a document is read again while what it needs is opened",
    file: "TableSwaps.ts",
    find: `this.#inTurn(own.success, of)`,
    replace: `this.#inTurn(document, of)`,
    foundBy: "promise/ownOptions.test.ts",
    test: "swapRoutes puts the document in force"
  },
  {
    name: "a document that cannot be read is a file",
    file: "routes/RoutesFile.ts",
    find: `    // A proxy that is revoked: it is refused as a document that cannot be read.
    return false`,
    replace: `    return true`,
    foundBy: "promise/ownOptions.test.ts",
    test: "and so is a document"
  },
  {
    name: "two legs of one route may go to one topic",
    file: "routes/Meetings.ts",
    find: `if (leg.path === other.leg.path) return undefined`,
    replace: `if (leg.path !== "") return undefined`
  },
  {
    name: "two compact streams may share a topic",
    file: "routes/Meetings.ts",
    find: `if (leg.wire === "cloudevents") return undefined`,
    replace: `if (leg.wire !== undefined) return undefined`
  },
  {
    name: "a compacted topic may be shared",
    file: "routes/Meetings.ts",
    find: `if (visit.isCompacted || other.isCompacted) {`,
    replace: `if (visit.isCompacted && other.isCompacted) {`
  },
  {
    name: "a topic may have two wires",
    file: "routes/Meetings.ts",
    find: `if (leg.wire !== other.leg.wire) {`,
    replace: `if (leg.wire !== other.leg.wire && isOneStream) {`
  },
  {
    name: "one sink may have two lingers",
    file: "routes/Meetings.ts",
    find: `linger: ({ lingerMs }: Leg) => lingerMs,`,
    replace: `linger: ({ lingerMs }: Leg) => Math.sign(lingerMs),`
  },
  {
    name: "legs are compared with the stream not filled in",
    file: "routes/Route.ts",
    find: `destination: \`\${this.#placeOf(spec.cluster)}/\${topic}\`,`,
    replace: `destination: \`\${this.#placeOf(spec.cluster)}/\${spec.topic}\`,`
  },
  {
    name: "a stream's routes of other sources are not looked at",
    file: "routes/Route.ts",
    find: `if (!sources.some((earlier) => globCovers(earlier, match.source ?? "*"))) found.push(index)`,
    replace: `if (sources.length === 0) found.push(index)`
  },
  {
    name: "an older table is taken",
    file: "routes/planRoutes.ts",
    find: `if (after.version < before.version) {`,
    replace: `if (after.version < 0) {`
  },
  {
    name: "a version may have two contents",
    file: "routes/planRoutes.ts",
    find: `if (isSameValue(before.document, after.document, "inOrder")) return []`,
    replace: `if (after.version === before.version) return []`
  },
  {
    name: "an open cluster may become one that can do other things",
    file: "routes/planRoutes.ts",
    find: `if (isAlike) return []`,
    replace: `if (isAlike || was.driver.name === now.driver.name) return []`
  },
  {
    name: "a stream moves to another epoch in a swap",
    file: "routes/planRoutes.ts",
    find: `if (was.epoch !== leg.epoch && `,
    replace: `if (was.epoch > leg.epoch && `
  },
  {
    name: "the leg that is read goes in a swap",
    file: "routes/planRoutes.ts",
    find: `if (old.readLeg.sink !== now.readLeg.sink && !isPlaced) {`,
    replace: `if (now.legs.every(({ sink }) => sink !== old.readLeg.sink) && old.legs.length > 1) {`
  },
  {
    name: "a leg that another table does not have is not told",
    file: "routes/planRoutes.ts",
    find: `const gone = old?.legs.filter(({ sink }) => now?.legs.every((leg) => leg.sink !== sink) !== false) ?? []`,
    replace: `const gone = now?.legs.length === 0 ? (old?.legs ?? []) : []`
  },
  {
    name: "a contract that needs order goes where each record is stored or not by itself",
    file: "routes/RouteFaults.ts",
    find: `order: batch !== "each" && (`,
    replace: `order: (`,
    foundBy: "routes/Routes.test.ts",
    test: "that need order are refused where each record of a batch"
  },
  {
    name: "a linger may be as long as the time-out",
    file: "routes/RouteFaults.ts",
    find: `if (lingerMs >= timeoutMs) {`,
    replace: `if (lingerMs > timeoutMs) {`
  },
  {
    name: "a placeholder that nobody knows is a topic's name",
    file: "routes/RouteFaults.ts",
    find: `if (unknown !== undefined) {`,
    replace: `if (unknown === "{") {`
  },
  {
    name: "a number in no bounds is taken",
    file: "routes/within.ts",
    find: `value === undefined || (value >= min && value <= max)`,
    replace: `value === undefined || value >= min`
  },
  {
    name: "a cluster may have a slash in its name",
    file: "routes/Clusters.ts",
    find: `/^[^\\s/{}]{1,249}$/`,
    replace: `/^[^\\s{}]{1,249}$/`
  },
  {
    name: "partitions need not divide the buckets",
    file: "routes/partitionFault.ts",
    find: `buckets % partitions === 0`,
    replace: `buckets >= partitions`
  },
  {
    name: "two layouts are one contract",
    file: "contract/contractFault.ts",
    find: `return open.layout === asked.layout`,
    replace: `return true`,
    foundBy: "contract/contractFault.test.ts",
    test: "two generations of one contract"
  },
  {
    name: "without a layout all codes are alike",
    file: "contract/contractFault.ts",
    find: `codes.every((name) =>`,
    replace: `codes.some((name) =>`,
    foundBy: "contract/contractFault.test.ts",
    test: "two generations of one contract"
  },
  {
    name: "a contract that masks less is the same one",
    file: "contract/contractFault.ts",
    find: `personalOf(open) === personalOf(asked)`,
    replace: `personalOf(open).includes(personalOf(asked))`,
    foundBy: "contract/contractFault.test.ts",
    test: "masks other personal data"
  },
  {
    name: "another number of buckets is the same contract",
    file: "contract/contractFault.ts",
    find: `buckets: ({ buckets }: ContractInfo) => \`\${buckets} buckets\`,`,
    replace: `buckets: ({ stream }: ContractInfo) => stream,`
  },
  {
    name: "the compact header has no tag",
    file: "record/WireWriter.ts",
    find: `this.#tag = streamTag(stream)`,
    replace: `this.#tag = stream.length`
  },
  {
    name: "a reader takes another stream's records for its own",
    file: "record/Wire.ts",
    find: `if (tag === streamTag(stream)) meta.id`,
    replace: `if (tag >= 0) meta.id`
  },
  {
    name: "a backend takes two streams' ids for one",
    file: "record/EventIdCursor.ts",
    find: `this.stream = this.#tagText`,
    replace: `this.stream = ""`
  },
  {
    name: "all streams have one tag",
    file: "record/CompactHeader.ts",
    find: `return hash(new DataView(buffer), length)`,
    replace: `return hash(new DataView(buffer), 0)`
  },
  {
    name: "a time is read in half",
    file: "record/Wire.ts",
    find: `timeMs = timeMs * 256 + (value[at] ?? 0)`,
    replace: `timeMs = timeMs * 128 + (value[at] ?? 0)`
  },
  {
    name: "drops of two reasons are one range",
    file: "record/DropNotice.ts",
    find: `newest.to === seq && newest.reason === reason`,
    replace: `newest.to === seq`
  },
  {
    name: "a drop that was not announced is forgotten",
    file: "record/DropNotice.ts",
    find: `this.#ranges.unshift(...front.toReversed())`,
    replace: `void front`
  },
  {
    name: "a notice gives a range the first reason",
    file: "record/DropNotice.ts",
    find: `reason === before?.reason ? "" : `,
    replace: `before !== undefined ? "" : `
  },
  {
    name: "a rule without a delay spins",
    file: "Policy.ts",
    find: `? Math.max(shortened, delayMsFloor) : shortened`,
    replace: `? Math.max(shortened, 0) : shortened`
  }
]
