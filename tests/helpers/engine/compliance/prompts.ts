/** For an engine that repeats its prompt: 30 words each, all different. */
export const ECHO_PROMPTS = ['amber', 'birch', 'cedar', 'dune'].map((word) =>
  Array.from({ length: 30 }, (_, index) => `${word}${index}`).join(' '),
)

/** For the model that tells short stories. */
export const STORY_PROMPTS = [
  'Once upon a time there was a little dog',
  'The sun was',
  'One day, a girl named Sue went to the park. She saw a big red ball and wanted to play with it',
  'Tom and his mom',
]

/** About 400 tokens of that model, whose context holds 256. */
export const TOO_LONG_STORY = 'There was a cat who liked to run and jump and play all day. '.repeat(
  28,
)
