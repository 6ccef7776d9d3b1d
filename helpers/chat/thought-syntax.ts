/** How a model marks the thought before its answer. */
export interface ThoughtSyntax {
  /** Precedes the thought, unless the prompt ends with it. */
  readonly opening: string
  /** Follows the thought. */
  readonly closing: string
}

/** Qwen3, DeepSeek-R1, GLM, SmolLM3 and most others. */
export const THINK_TAGS: ThoughtSyntax = { opening: '<think>', closing: '</think>' }

const SYNTAXES: readonly ThoughtSyntax[] = [
  THINK_TAGS,
  /** Magistral. */
  { opening: '[THINK]', closing: '[/THINK]' },
  /** Seed-OSS. */
  { opening: '<seed:think>', closing: '</seed:think>' },
  /** Command A Reasoning. */
  { opening: '<|START_THINKING|>', closing: '<|END_THINKING|>' },
]

/** White space, also as the escapes that a template writes it with. */
const SPACE = String.raw`(?:\s|\\n)*`

/**
 * The marks that a chat template teaches its model; null if it has none.
 *
 * A template with only an empty thought (`<think>\n\n</think>`) does not count. Templates with a switch
 * put it into the prompt to turn thinking off, and some models that never think have inherited it.
 *
 * @param template Jinja source
 */
export function thoughtSyntaxOf(template: string): ThoughtSyntax | null {
  const found = SYNTAXES.find(({ opening, closing }) => {
    const empty = new RegExp(`${escaped(opening)}${SPACE}${escaped(closing)}`, 'g')
    const rest = template.replace(empty, '')
    return rest.includes(opening) || rest.includes(closing)
  })
  return found ?? null
}

function escaped(text: string): string {
  return text.replace(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
}
