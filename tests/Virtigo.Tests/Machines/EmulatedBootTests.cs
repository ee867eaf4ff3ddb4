using Virtigo.Hypervisors;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Tests.Machines;

public sealed class EmulatedBootTests
{
    [Fact]
    public async Task A_crash_under_emulation_counts_when_it_happens_again()
    {
        Assert.Equal(["boot", "crashed", "boot"], await RunAsync(Accelerator.Tcg, Crash()));
        Assert.Equal(["boot", "crashed", "boot", "failed"], await RunAsync(Accelerator.Tcg, Crash(), Crash()));
    }

    [Fact]
    public async Task A_crash_on_a_real_processor_counts() =>
        Assert.Equal(["boot", "failed"], await RunAsync(Accelerator.Kvm, Crash()));

    [Fact]
    public async Task What_is_no_crash_counts()
    {
        var late = new VirtigoException(FailureKind.Guest, "Machine a was not up in time.");
        Assert.Equal(["boot", "failed"], await RunAsync(Accelerator.Tcg, late));
    }

    private static VirtigoException Crash() => GuestCrash.Failure(FailureKind.Guest, "Machine a", 1, "", "");

    /// <summary>What happens, in order, when boots fail one after the other, and the one after these does not.</summary>
    private static async Task<IReadOnlyList<string>> RunAsync(Accelerator accelerator, params VirtigoException[] failures)
    {
        var happened = new List<string>();
        var left = new Queue<VirtigoException>(failures);
        try
        {
            await EmulatedBoot.RunAsync(accelerator, () =>
            {
                happened.Add("boot");
                return left.TryDequeue(out VirtigoException? failure) ? Task.FromException(failure) : Task.CompletedTask;
            }, crash =>
            {
                Assert.Same(failures[0], crash);
                happened.Add("crashed");
                return Task.CompletedTask;
            });
        }
        catch (VirtigoException error)
        {
            Assert.Same(failures[happened.Count(what => what == "boot") - 1], error);
            happened.Add("failed");
        }

        return happened;
    }
}
