// Prints the rows of a Parquet file as JSON, as JavaScript reads them.
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet"

const rows = await parquetReadObjects({ file: await asyncBufferFromFile(process.argv[2]) })
console.log(JSON.stringify(rows, (_, value) => (typeof value === "bigint" ? Number(value) : value)))
