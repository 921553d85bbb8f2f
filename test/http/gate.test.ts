import { expect } from 'chai';
import { gate } from '../../src/http/middleware/gate.ts';

describe('a gate', () => {
  it('lets a few in, makes others wait in their order, and turns away the rest', async () => {
    const { enter } = gate({ places: 2, waiting: 2 });
    const order: number[] = [];
    const arrive = (number: number) =>
      enter().then((leave) => {
        order.push(number);
        return leave;
      });
    const [first, second] = [await arrive(1), await arrive(2)];
    const third = arrive(3);
    const fourth = arrive(4);
    expect(await arrive(5)).to.equal(undefined);
    expect(order).to.deep.equal([1, 2, 5]);

    first?.();
    first?.();
    const leaveThird = await third;
    expect(order).to.deep.equal([1, 2, 5, 3]);
    second?.();
    const leaveFourth = await fourth;
    expect(order).to.deep.equal([1, 2, 5, 3, 4]);

    leaveThird?.();
    leaveFourth?.();
    expect(await Promise.all([enter(), enter()])).not.to.include(undefined);
  });
});
