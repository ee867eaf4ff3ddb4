using Virtigo.Machines;
using Virtigo.Tests.Networks;
using Xunit;

namespace Virtigo.Tests.Machines;

/// <summary>What a guest says on its serial console never takes much memory.</summary>
[Collection(CountsAllocations.Name)]
public sealed class SerialShellMemoryTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("x")]
    [InlineData("\n")]
    [InlineData("@@virtigo-")]
    [InlineData("# ")]
    public async Task An_endless_answer_takes_no_memory_and_is_given_up_in_time(string word)
    {
        string flood = string.Concat(Enumerable.Repeat(word, 32_000));
        long said = 0;
        using var enough = new CancellationTokenSource();
        await using var guest = new HostileConsole(async (_, say) =>
        {
            while (said < 100 << 20)
            {
                await say(flood);
                said += flood.Length;
            }

            await enough.CancelAsync();
        });
        long before = GC.GetTotalMemory(forceFullCollection: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => guest.Shell.ExecuteAsync("true", new CommandOptions { OutputLimit = 1 << 20 }, enough.Token).WaitAsync(TimeSpan.FromSeconds(60), Token));

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 16 << 20);
    }
}
