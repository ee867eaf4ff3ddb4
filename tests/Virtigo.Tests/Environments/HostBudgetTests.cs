using Virtigo.Environments;
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
        string left = Path.Combine(_folder.FullName, "budget", $"900-{Guid.NewGuid():N}.mib");
        await File.WriteAllTextAsync(left, "", Token);

        (await budget.ReserveAsync(1000, "b", null, Token)).Dispose();
        Assert.False(File.Exists(left));
    }

    private HostBudget Budget(long mib)
    {
        string root = _folder.FullName;
        return new HostBudget(new HostPaths(root, root, root, root, root), TimeProvider.System, () => mib);
    }
}
