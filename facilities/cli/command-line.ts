import { readFileSync } from 'node:fs'
// Parses flags and writes --help; our own code should not.
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { adviceFor } from '../../helpers/errors/advice.js'
import { ERROR_CODES, type ErrorCode } from '../../helpers/errors/error-codes.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { safeJson, safeLine, safeText } from '../../helpers/text/terminal-text.js'
import { EXIT_CODES } from '../process/exit-codes.js'

/** This version of Starling. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
).version

/** A command with the flags that every command has. */
export function createCommand(name: string, description: string): Command {
  return (
    new Command(name)
      .description(description)
      .version(VERSION, '--version', 'print the version')
      .helpOption('--help', 'print this help')
      .option('--home <dir>', 'the folder of the mesh (default: ./data)')
      .option('--config <file>', 'a configuration file in JSON')
      .option(
        '--log-level <level>',
        'trace, debug, info, warn, error or silent (default: info; clients: warn)',
      )
      .option('--json', 'write one JSON object per line')
      .showHelpAfterError(`Run with --help to see the commands and flags.`)
      // With --json, runCommand reports the error.
      .configureOutput({
        writeErr: (text) => (wantsJson() ? undefined : process.stderr.write(safeText(text))),
      })
      .allowExcessArguments()
      .hook('preAction', (_, command) => refuseExcess(command))
      .exitOverride()
  )
}

/** A command of a worker that can serve metrics. */
export function createWorkerCommand(name: string, description: string): Command {
  return createCommand(name, description).option(
    '--metrics-port <n>',
    'serve /healthz, /readyz and /metrics on this port of 127.0.0.1 (default: 0, off)',
    wholeNumber,
  )
}

/** Names the excess argument, which commander only counts. */
function refuseExcess(command: Command): void {
  if (command.registeredArguments.at(-1)?.variadic) return
  const excess = command.args[command.registeredArguments.length]
  if (excess !== undefined) command.error(`error: unknown command or argument: ${excess}`)
}

/** Parses a flag that is a whole number. */
export function wholeNumber(value: string): number {
  if (!/^\d+$/.test(value)) throw new InvalidArgumentError('It is not a whole number.')
  return Number(value)
}

/**
 * Parses the command line of this process and runs the command. Ends the process with exit code 2 if the
 * command or its configuration is invalid, and with 0 after --help and --version.
 */
export async function runCommand(command: Command): Promise<void> {
  try {
    await command.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) process.exit(EXIT_CODES.done)
      if (wantsJson()) reportAsJson('BAD_USAGE', error.message.replace(/^error: /, ''))
      process.exit(EXIT_CODES.badUsage)
    }
    if (isStarlingError(error, 'CONFIG_INVALID', 'BAD_USAGE')) {
      if (wantsJson()) reportAsJson(error.code, error.message)
      else process.stderr.write(`${command.name()}: ${safeLine(error.message)} (${error.code})\n`)
      process.exit(EXIT_CODES.badUsage)
    }
    throw error
  }
}

/** Whether errors of the command line are reported as JSON. */
function wantsJson(): boolean {
  return process.argv.includes('--json') || process.env.STARLING_JSON === 'true'
}

function reportAsJson(code: ErrorCode, message: string): void {
  const { retryable } = ERROR_CODES[code]
  const fields = { type: 'error', code, message, retryable, whatToDo: adviceFor(code) }
  process.stdout.write(`${safeJson(fields)}\n`)
}
