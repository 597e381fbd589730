import { Flag } from "effect/cli"

/** Flags that several commands have. */
export const json = Flag.Boolean("json").pipe(Flag.withDefault(false), Flag.withDescription("Print one JSON object"))

/** Where the log is that nobody has named. */
export const directoryDefault = "./data"

export const directory = Flag.String("directory").pipe(
  Flag.withDefault(directoryDefault),
  Flag.withDescription("Folder of the log; ./data unless another is named")
)

/** Which cluster: one of a route document, or a log by its folder. */
export const clusterFlags = {
  directory: directory.pipe(
    Flag.withDescription("Folder of the log; ./data unless another, or a route document, is named")
  ),
  routes: Flag.String("routes").pipe(
    Flag.optional,
    Flag.withDescription("Route document that says how the cluster is reached")
  ),
  cluster: Flag.String("cluster").pipe(
    Flag.optional,
    Flag.withDescription("Cluster of the route document; not needed where there is one only")
  )
}

export const topic = Flag.String("topic").pipe(Flag.optional)

/** What the folder is called that nobody has named. */
export const protoDefault = "proto"

export const proto = Flag.String("proto").pipe(
  Flag.optional,
  Flag.withDescription("Folder with the .proto files; proto, where there is one")
)

export const dryRun = Flag.Boolean("dry-run").pipe(Flag.withDefault(false))
