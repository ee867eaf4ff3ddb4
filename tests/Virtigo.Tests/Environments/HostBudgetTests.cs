using System.Diagnostics;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Environments;

public sealed class HostBudgetTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task What_does_not_fit_waits_until_others_are_done()
    {
        HostBudget budget = Budget(1000);
        IDisposable first = await budget.ReserveAsync(600, "a", null, Token);
        bool told = false;
        Task<IDisposable> second = budget.ReserveAsync(600, "b", () => told = true, Token);
        using (IDisposable small = await Task.WhenAny(second, Task.Delay(50, Token)) == second ? throw new InvalidOperationException("overcommitted") : first)
        {
            Assert.True(told);
        }

        (await second).Dispose();
        Assert.Equal(["queue"], Directory.EnumerateFiles(Path.Combine(_folder.FullName, "budget")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Two_budgets_of_one_user_are_one()
    {
        using IDisposable first = await Budget(1000).ReserveAsync(600, "a", null, Token);
        using var limit = new CancellationTokenSource(100);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Budget(1000).ReserveAsync(600, "b", null, limit.Token));
        (await Budget(1000).ReserveAsync(400, "c", null, Token)).Dispose();
    }

    [Fact]
    public async Task What_can_never_fit_is_refused_with_numbers()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => Budget(1000).ReserveAsync(1001, "The environment shop", null, Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("The environment shop needs 1001 MiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_dead_process_had_reserved_is_free()
    {
        HostBudget budget = Budget(1000);
        (await budget.ReserveAsync(1, "a", null, Token)).Dispose();
        string left = Path.Combine(_folder.FullName, "budget", $"900-1-{Guid.NewGuid():N}.mib");
        await File.WriteAllTextAsync(left, "", Token);

        (await budget.ReserveAsync(1000, "b", null, Token)).Dispose();
        Assert.False(File.Exists(left));
    }

    [Fact]
    public async Task What_other_programs_leave_too_little_for_is_refused_while_no_environment_could_give_any()
    {
        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(
            () => Budget(1000, available: 300).ReserveAsync(400, "The environment shop", null, Token));

        Assert.Equal(FailureKind.Host, error.Kind);
        Assert.Contains("needs 400 MiB of memory; other programs leave 300 MiB", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_that_was_promised_and_is_not_used_yet_is_not_promised_twice()
    {
        HostBudget budget = Budget(100_000, available: 1000);
        IDisposable first = await budget.ReserveAsync(600, "a", null, Token);

        // As much as there is: what programs of other tests use meanwhile counts as taken of the promise.
        Task<IDisposable> second = budget.ReserveAsync(1000, "b", null, Token);

        Assert.NotSame(second, await Task.WhenAny(second, Task.Delay(50, Token)));

        first.Dispose();
        (await second).Dispose();
    }

    [Fact]
    public async Task What_guests_have_taken_of_their_promise_is_not_counted_again()
    {
        const int taken = 200;
        using Process guest = Process.Start(new ProcessStartInfo("perl", ["-e", $"$| = 1; my $m = 'x' x ({taken} << 20); print 'taken'; <STDIN>"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        try
        {
            await guest.StandardOutput.BaseStream.ReadExactlyAsync(new byte["taken".Length], Token);
            Assert.InRange(HostMemory.OfChildrenMiB(Environment.ProcessId), taken, 100_000);

            using IDisposable first = await Budget(1000, available: 700).ReserveAsync(taken, "a", null, Token);
            using IDisposable second = await Budget(1000, available: 500).ReserveAsync(500, "b", null, Token);
        }
        finally
        {
            guest.Kill();
        }
    }

    [Fact]
    public async Task Guests_whose_memory_is_not_the_hosts_have_a_budget_of_their_own()
    {
        string root = _folder.FullName;
        var other = new HostBudget(new HostPaths(root, root, root, root, root), TimeProvider.System, "xen", 900);
        using IDisposable here = await Budget(1000, available: 1000).ReserveAsync(1000, "a", null, Token);

        using IDisposable there = await other.ReserveAsync(900, "b", null, Token);
        Assert.Contains("this host can give guests 900 MiB", (await Assert.ThrowsAsync<VirtigoException>(() => other.ReserveAsync(901, "c", null, Token))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_host_itself_says_what_is_available() =>
        Assert.InRange(HostMemory.AvailableMiB(), 1, HostMemory.ForGuestsMiB() * 10 / 9);

    private HostBudget Budget(long mib, long available = long.MaxValue)
    {
        string root = _folder.FullName;
        return new HostBudget(new HostPaths(root, root, root, root, root), TimeProvider.System, () => mib, () => available);
    }
}
