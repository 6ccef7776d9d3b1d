// The process in which test files run, one after the other: node run-files.js FILE...
import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import test from 'brittle'
import '../helpers/umask.js'
import { END_OF_FILE } from './tap-report.js'

for (const file of process.argv.slice(2)) {
  await import(pathToFileURL(resolve(file)).href)
  // Brittle runs tests in the order in which they were registered, so this one is the file's last.
  await new Promise<void>((ended) => {
    test(END_OF_FILE + file, (t) => {
      t.pass()
      ended()
    })
  })
  // Lets brittle print the result before the next file can crash the process.
  await setImmediate()
}
