import type { Mutant } from "./Mutant.ts"

export const routesMutants: ReadonlyArray<Mutant> = [
  {
    name: "the version of a document is written over the first number that looks like it",
    file: "routes/documentVersion.ts",
    find: `text.slice(0, range[0])`,
    replace: `text.slice(0, Math.max(0, text.indexOf("12")))`,
    foundBy: "routes/documentVersion.test.ts",
    test: "a text with another version"
  },
  {
    name: "a driver that gives no answer any more is said to fail as before",
    file: "routes/OpeningWatch.ts",
    find: `last.times === toldTimes`,
    replace: `last.times < 0`,
    foundBy: "routes/OpeningWatch.test.ts",
    test: "is warned of with what has become of it"
  },
  {
    name: "a driver that does not answer at all is waited for in silence",
    file: "routes/OpeningWatch.ts",
    find: `if (last.why === "") failed(silent)`,
    replace: ``,
    foundBy: "routes/OpeningWatch.test.ts",
    test: "does not answer at all"
  },
  {
    name: "what is open is warned of as if it were not",
    file: "routes/OpeningWatch.ts",
    find: `            listening.interruptUnsafe()
            warning?.interruptUnsafe()`,
    replace: `            if (Exit.isFailure(exit)) listening.interruptUnsafe()
            if (Exit.isFailure(exit)) warning?.interruptUnsafe()`,
    foundBy: "routes/OpeningWatch.test.ts",
    test: "does not answer at all"
  },
  {
    name: "a star stands for one character at least",
    file: "routes/Glob.ts",
    find: `while (glob[pattern] === "*") pattern++
  return`,
    replace: `return`,
    foundBy: "routes/Glob.test.ts",
    test: "a glob"
  },
  {
    name: "a star is taken as far as it goes the first time",
    file: "routes/Glob.ts",
    find: `at = ++resume`,
    replace: `at = resume = resume + 2`,
    foundBy: "routes/Glob.test.ts",
    test: "a glob"
  },
  {
    name: "the last route that matches wins",
    file: "routes/Route.ts",
    find: `for (const index of this.#streams.of(stream)) {
      const match = this.#document.routes[index]?.match
      if (match !== undefined && covers(`,
    replace: `for (const index of Array.from(this.#streams.of(stream)).toReversed()) {
      const match = this.#document.routes[index]?.match
      if (match !== undefined && covers(`,
    foundBy: "routes/Routes.test.ts",
    test: "takes the earlier of two routes"
  },
  {
    name: "routes that name a stream come before those that match more",
    file: "routes/StreamIndex.ts",
    find: `next !== undefined && next < starred;`,
    replace: `next !== undefined;`,
    foundBy: "routes/StreamIndex.test.ts",
    test: "are those that name it or have a star"
  },
  {
    name: "each route is compared with each other one",
    file: "routes/Meetings.ts",
    find: `isGlob(stream), leg.sink, route.source])`,
    replace: `isGlob(stream), leg.path, route.source])`,
    foundBy: "routes/StreamIndex.test.ts",
    test: "takes its time"
  },
  {
    name: "streams of other sources are taken for those that were compared",
    file: "routes/Meetings.ts",
    find: `leg.sink, route.source])`,
    replace: `leg.sink])`,
    foundBy: "routes/Meetings.test.ts",
    test: "a stream of one source is compared"
  },
  {
    name: "what one source was told is told to all",
    file: "routes/Routes.ts",
    find: `this.#found.get(source) ?? new Map`,
    replace: `this.#found.get("") ?? new Map`,
    foundBy: "routes/Routes.test.ts",
    test: "takes the first route that matches stream and source"
  },
  {
    name: "a document with a fault in a contract is taken",
    file: "routes/Routes.ts",
    find: `return unmet.length > 0 ?`,
    replace: `return unmet.length > 1 ?`,
    foundBy: "routes/Routes.test.ts",
    test: "need a route"
  },
  {
    name: "minutes are read as milliseconds",
    file: "routes/RouteDocument.ts",
    find: `m: 60_000,`,
    replace: `m: 1,`,
    foundBy: "routes/Routes.test.ts",
    test: "is the first that matches stream and group, else the defaults"
  },
  {
    name: "keys that nobody knows are passed over",
    file: "routes/decodeDocument.ts",
    find: `(value, { errors: "all", onExcessProperty: "error" })`,
    replace: `(value, { errors: "all" })`,
    foundBy: "routes/Routes.test.ts",
    test: "are all reported at once, each with its path"
  },
  {
    name: "a secret is told in the error of a driver",
    file: "routes/redact.ts",
    find: `(form) => references.get(form) ?? "")`,
    replace: `(form) => form)`,
    foundBy: "routes/references.test.ts",
    test: 'of "hunter2" in '
  },
  {
    name: "of two secrets the shorter is withheld first",
    file: "routes/redact.ts",
    find: `other.length - one.length`,
    replace: `one.length - other.length`,
    foundBy: "routes/references.test.ts",
    test: 'of "-----BEGIN KEY-----'
  },
  {
    name: "an unset variable is an empty text",
    file: "routes/References.ts",
    find: `if (value !== undefined) return Effect.succeed(value)`,
    replace: `if (value !== undefined || name !== "") return Effect.succeed(value ?? "")`,
    foundBy: "routes/references.test.ts",
    test: "that cannot be read are told all at once"
  },
  {
    name: "a section that contains itself is walked for ever",
    file: "routes/configStrings.ts",
    find: `if (!isPlain(value) || seen.has(value)) return`,
    replace: `if (!isPlain(value) || (seen.has(value) && seen.size > 100_000)) return`,
    foundBy: "routes/references.test.ts",
    test: "stand in values that stand in two places"
  },
  {
    name: "a Map in a document is an object without a key",
    file: "routes/ownCopy.ts",
    find: `if (kind === undefined || path[0] === "clusters") return value`,
    replace: `return value`,
    foundBy: "routes/ownCopy.test.ts",
    test: "is refused by one sentence"
  },
  {
    name: "a document is copied one level deep",
    file: "routes/ownCopy.ts",
    find: `if (!read(path, () => isPlain(value))) {`,
    replace: `if (path.length > 0 || !read(path, () => isPlain(value))) {`,
    foundBy: "routes/ownCopy.test.ts",
    test: "keeps what is in two places, or in itself, one"
  },
  {
    name: "an index in a list is told as a field",
    file: "routes/pathText.ts",
    find: `if (typeof key === "number") text`,
    replace: `if (typeof key === "bigint") text`,
    foundBy: "routes/ownCopy.test.ts",
    test: "one that is revoked in a list"
  },
  {
    name: "what contains itself is copied for ever",
    file: "routes/ownCopy.ts",
    find: `if (known !== undefined) return known`,
    replace: `if (known !== undefined && path.length === 0) return known`,
    foundBy: "routes/ownCopy.test.ts",
    test: "keeps what is in two places"
  },
  {
    name: "opening is tried again whatever the reason",
    file: "routes/openCluster.ts",
    find: `failure._tag === "TransportError" && failure.isRetryable`,
    replace: `failure._tag === "TransportError"`,
    foundBy: "routes/openCluster.test.ts",
    test: "does not try again what cannot pass"
  },
  {
    name: "opening goes on past its time",
    file: "routes/openCluster.ts",
    find: `if (!mayPass || leftMs <= 0)`,
    replace: `if (!mayPass || leftMs <= -againMsMax)`,
    foundBy: "routes/openCluster.test.ts",
    test: "begins its last try when the time is over"
  },
  {
    name: "a group that left stays the reader of its stream",
    file: "routes/ReadGroups.ts",
    find: `--found.subscriptions === 0`,
    replace: `--found.subscriptions < 0`,
    foundBy: "routes/ReadGroups.test.ts",
    test: "are known while they read it"
  },
  {
    name: "lists in another order are the same",
    file: "routes/sameValue.ts",
    find: `if (lists === "inOrder") return one.every`,
    replace: `if (lists === "inOrder" && one.length < 2) return one.every`,
    foundBy: "routes/sameValue.test.ts",
    test: "are the same in any order of keys"
  },
  {
    name: "faults of form hide names of what is not there",
    file: "routes/decodeDocument.ts",
    find: `document: Result.isSuccess(rest) ? rest.success : undefined`,
    replace: `document: undefined`,
    foundBy: "routes/RouteFaults.test.ts",
    test: "do not hide names of what is not there"
  },
  {
    name: "a fault of form is followed by those that come of it",
    file: "routes/Routes.ts",
    find: `.filter(isApart(ofForm))`,
    replace: ``,
    foundBy: "routes/RouteFaults.test.ts",
    test: "have no others that only follow from them"
  },
  {
    name: "a leg's policy may name failures that no transport has",
    file: "routes/policyFaults.ts",
    find: `? [...unmetNames(policy), ...breaker`,
    replace: `? [...breaker`,
    foundBy: "routes/RouteFaults.test.ts",
    test: "is a fault, because no transport fails so"
  },
  {
    name: "the name of a file is taken for a document",
    file: "routes/RouteDocument.ts",
    find: `if (isObject(value)) return Result.succeed(value)`,
    replace: `if (isObject(value) || text !== "") return Result.succeed(value)`,
    foundBy: "wrongArguments.test.ts",
    test: "says what is wrong with the name of a file"
  },
  {
    name: "an event that a cluster in memory has is durable",
    file: "routes/levelFaults.ts",
    find: `const own = spill === undefined ? [cluster] : []`,
    replace: `const own = spill !== undefined ? [cluster] : []`,
    foundBy: "routes/levelFaults.test.ts",
    test: "the level durable of legs"
  },
  {
    name: "a best-effort leg has to keep what is durable",
    file: "routes/levelFaults.ts",
    find: `if (required === false) return []`,
    replace: ``,
    foundBy: "routes/levelFaults.test.ts",
    test: "the level durable of legs"
  },
  {
    name: "a number of bytes is shown with underscores, which YAML reads as a text",
    file: "routes/examples.ts",
    find: `const bytes = "of bytes, as 10000000"`,
    replace: `const bytes = "of bytes, as 10_000_000"`,
    foundBy: "routes/examples.test.ts",
    test: "can be said as it is in the sentence"
  },
  {
    name: "endings of legs are said of a policy that only subscriptions name",
    file: "routes/decodeDocument.ts",
    find: `isOfSubscriptions(input, path[1]) ? endingsOfLegs : []`,
    replace: `!isOfSubscriptions(input, path[1]) ? endingsOfLegs : []`,
    foundBy: "routes/examples.test.ts",
    test: "names the endings that are possible"
  }
]
