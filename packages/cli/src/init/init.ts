import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { generateFile } from "protoc-gen-leat"
import { compile } from "../contracts/compile.ts"
import { openWorkspace } from "../contracts/workspace.ts"
import { dryRun, json } from "../flags.ts"
import { CommandFailure, exitCode, plural, printJson } from "../outcome.ts"
import { writeFiles } from "../writeFiles.ts"
import { contractPath, type ServiceNames } from "./ServiceNames.ts"
import { serviceFiles } from "./serviceFiles.ts"

/** Makes a new service that runs: contract, generated code, publisher, consumer, test. */
export const init = Command.make(
  "init",
  {
    name: Argument.String("name").pipe(Argument.withDescription("Name of the service: shop, shop-orders")),
    directory: Flag.String("directory").pipe(
      Flag.optional,
      Flag.withDescription(
        "Folder to make it in, called like the service when not given; it must be empty or not be there"
      )
    ),
    dryRun: dryRun.pipe(Flag.withDescription("List what would be written, and write nothing")),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const names = yield* namesOf(flags.name)
    const folder = Option.getOrElse(flags.directory, () => flags.name)
    yield* refuseOccupied(folder)
    const texts = serviceFiles(names, versions)
    const files = new Map([...texts, ...(yield* generated(names, texts))])
    if (!flags.dryRun) yield* writeFiles(folder, files, "wx")
    const paths = [...files.keys()].toSorted()
    if (flags.json)
      return yield* printJson({ name: names.name, directory: folder, written: paths, dryRun: flags.dryRun })
    yield* Console.log(`${flags.dryRun ? "would write" : "wrote"} ${plural(paths.length, "file")} to ${folder}`)
    for (const path of paths) yield* Console.log(`  ${path}`)
    if (!flags.dryRun) yield* Console.log(`next: cd ${folder} && npm install && npm start && npm run consume`)
  })
).pipe(Command.withDescription("Make a new service that runs: contract, generated code, publisher, consumer, test"))

const versions = {
  leat: `^${versionOf("../../package.json")}`,
  effect: "^4.1.0",
  typescript: "^7.0.2",
  vitest: "^5.1.1",
  nodeTypes: "^24.10.0"
}

function versionOf(path: string): string {
  const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as { readonly version: string }
  return manifest.version
}

function namesOf(name: string): Effect.Effect<ServiceNames, CommandFailure> {
  if (/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/.test(name) && name.length <= 100)
    return Effect.succeed({ name, word: name.replaceAll("-", "_") })
  const message = `${name} is no name for a service; write lower-case words with hyphens between them: shop, shop-orders`
  return misuse(message)
}

function refuseOccupied(folder: string): Effect.Effect<void, CommandFailure> {
  return Effect.suspend(() => {
    if (!existsSync(folder)) return Effect.void
    if (!statSync(folder).isDirectory()) return misuse(`${folder} is a file; name another folder by --directory`)
    const [found] = readdirSync(folder)
    if (found === undefined) return Effect.void
    return misuse(`${folder} is not empty (${found}); name another folder by --directory, nothing was changed`)
  })
}

/** What `leat contracts gen` makes of the contract. */
const generated = Effect.fnUntraced(function* (names: ServiceNames, texts: ReadonlyMap<string, string>) {
  const path = contractPath(names)
  const proto = new Map([[`${path}.proto`, texts.get(`proto/${path}.proto`) ?? ""]])
  const { files, contracts } = yield* compile(yield* openWorkspace("proto", proto), "the .proto file")
  return files
    .filter(({ name }) => name === path)
    .map((file) => [`src/gen/${path}.ts`, generateFile(file, contracts, ".ts")] as const)
}, Effect.scoped)

function misuse(message: string): Effect.Effect<never, CommandFailure> {
  return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
}
