using System.Diagnostics;
using Virtigo.Machines;
using Virtigo.Xunit;
using Xunit;

/// <summary>The recipe with a database, in C# and as the test of the file: both begin with the same ready machines.</summary>
public sealed class Database() : EnvironmentFixture("database.yml");

/// <summary>What needs it. It installs PostgreSQL twice before it is ready, which takes too long for every change.</summary>
[CollectionDefinition]
[Trait("Tier", "Thorough")]
public sealed class Databases : ICollectionFixture<Database>;

[Collection<Databases>]
public sealed class DatabaseTests(Database database) : ForkedTest<Database>(database)
{
    #region fail-over
    [Fact]
    public async Task No_acknowledged_row_is_lost_when_the_primary_loses_power()
    {
        Machine primary = Fork["primary"], standby = Fork["standby"];
        // Writes one row after the other, and notes each once it is acknowledged.
        await standby.RunAsync("""
            seq 100000 | sed 's/.*/INSERT INTO orders VALUES (&) RETURNING id;/' > /run/orders.sql
            nohup psql -q -A -t -h primary -U postgres -f /run/orders.sql > /run/acknowledged 2>&1 &
            """, Cancel);
        await standby.WaitForCommandAsync("test $(wc -l < /run/acknowledged) -gt 20", null, Cancel);

        await primary.PowerCutAsync(Cancel);

        string[] acknowledged = (await standby.RunAsync("grep -x '[0-9]*' /run/acknowledged", Cancel)).Split('\n');
        await standby.RunAsync("su postgres -c \"psql -c 'SELECT pg_promote()'\"", Cancel);
        string[] stored = (await standby.RunAsync("su postgres -c \"psql -A -t -c 'SELECT id FROM orders'\"", Cancel)).Split('\n');
        Assert.Empty(acknowledged.Except(stored));
        await standby.RunAsync("su postgres -c \"psql -c 'INSERT INTO orders VALUES (-1)'\"", Cancel);

        // The old primary still takes itself for the primary, yet acknowledges nothing without its standby.
        await primary.StartAsync(Cancel);
        await standby.WaitForCommandAsync("psql -h primary -U postgres -c 'SELECT 1'", TimeSpan.FromMinutes(5), Cancel);
        CommandResult late = await standby.FailAsync("timeout 20 psql -h primary -U postgres -c 'INSERT INTO orders VALUES (-2)'", Cancel);
        Assert.Equal(124, late.ExitCode);
    }
    #endregion
}

/// <summary>The same in the file itself.</summary>
[Collection<Databases>]
public sealed class DatabaseFileTests(Database database)
{
    [Fact]
    public async Task The_tests_of_the_file_pass()
    {
        string command = Environment.GetEnvironmentVariable("VIRTIGO_COMMAND") ?? throw new InvalidOperationException("VIRTIGO_COMMAND is not set; run the tests by ./test");
        using Process run = Process.Start(new ProcessStartInfo(command, ["test", database.File]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> data = run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string people = await run.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(run.ExitCode == 0, $"virtigo test ended with {run.ExitCode}:\n{people}\n{await data}");
    }
}
