/**
 * Messages inside messages, the outermost included, that are written and read. protobuf-es stops there too; others read one
 * more, so that what leat writes is read everywhere.
 */
export const depthMax = 100
