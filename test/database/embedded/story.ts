import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CHECKOUT, ownCheckout, type Part, parts, Stage } from './stage.ts';

/** One a part: the sources where the part can read them, and a cluster to copy. */
const models = new Map<string, Promise<Stage>>();

async function makeModel(part: Part): Promise<Stage> {
  const model = new Stage(part, part.ids ? await ownCheckout(part) : CHECKOUT);
  await model.set();
  const holder = await model.holder();
  await holder.open(model.directory);
  await holder.release();
  return model;
}

after(async () => {
  for (const model of await Promise.all(models.values())) {
    await model.strike();
    if (model.part.ids) await rm(dirname(model.checkout), { recursive: true });
  }
});

/** Plays the stories once as each part, each story on a stage of its own. */
export function asEveryone(title: string, stories: (stage: () => Stage) => void, cast = parts): void {
  for (const part of cast) {
    describe(`${title}, as ${part.name}`, function () {
      this.timeout(60_000);
      let stage: Stage;
      beforeEach(async () => {
        if (!models.has(part.name)) models.set(part.name, makeModel(part));
        const model = (await models.get(part.name)) as Stage;
        stage = new Stage(part, model.checkout);
        await stage.set(model.directory);
      });
      afterEach(() => stage.strike());
      stories(() => stage);
    });
  }
}
