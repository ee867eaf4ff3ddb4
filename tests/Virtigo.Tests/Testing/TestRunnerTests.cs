using System.Text;
using Microsoft.Extensions.Time.Testing;
using Virtigo.Environments.Steps;
using Virtigo.Machines;
using Virtigo.Testing;
using Xunit;
using TestResult = Virtigo.Testing.TestResult;

namespace Virtigo.Tests.Testing;

public sealed class TestRunnerTests
{
    private readonly List<FakeFork> _forks = [];
    private readonly List<ForkRequest> _requests = [];
    private readonly Told _told = new();
    private int _line = 10;
    private string? _artifacts;

    private static readonly Func<StepContext, CancellationToken, Task> s_passes = (_, _) => Task.CompletedTask;
    private static readonly Func<StepContext, CancellationToken, Task> s_fails = (_, _) => throw new StepFailedException("server: exit code 1, expected 0.");

    private TestCase Test(string name, params Func<StepContext, CancellationToken, Task>[] steps) =>
        new(name, _line++, [.. steps.Select(MakeStep)]);

    private FakeStep MakeStep(Func<StepContext, CancellationToken, Task> body, int index) =>
        new(body) { Place = new StepPlace("shop.yml", _line++, 7), Title = $"server: step {index + 1}", Machines = ["server"] };

    private Task<FakeFork> Fork()
    {
        var fork = new FakeFork();
        lock (_forks)
        {
            _forks.Add(fork);
        }

        return Task.FromResult(fork);
    }

    private Task<TestReport> RunAsync(TestOptions options, params TestCase[] tests) => RunAsync(options, new TestHooks(), tests);

    private Task<TestReport> RunAsync(TestOptions options, TestHooks hooks, params TestCase[] tests) => RunAsync(options, hooks, TimeProvider.System, tests);

    private Task<TestReport> RunAsync(TestOptions options, TestHooks hooks, TimeProvider clock, params TestCase[] tests) =>
        new TestRunner(new TestFile("shop.yml", tests), options with { Seed = 5, ArtifactsFolder = _artifacts },
            async (_, _) => await Fork(), hooks, clock, _told).RunAsync(TestContext.Current.CancellationToken);

    [Fact]
    public async Task Each_test_has_a_fork_of_its_own_which_is_destroyed()
    {
        TestReport report = await RunAsync(new(), Test("one", s_passes, s_passes), Test("two", s_passes));
        Assert.Equal("2 passed, 0 failed, 0 flaky, 0 quarantined", report.Summary);
        Assert.Null(report.Verdict(flakyFails: true));
        Assert.Equal(2, _forks.Count);
        Assert.All(_forks, fork => Assert.True(fork.Disposed));
        Assert.Equal(["one", "two"], report.Results.Select(result => result.Name));
    }

    [Fact]
    public async Task A_failure_names_the_step_its_output_the_console_and_the_way_inside()
    {
        Task Prints(StepContext context, CancellationToken token)
        {
            context.Output.Append(Encoding.UTF8.GetBytes("404\n"), false);
            context.Output.Append(Encoding.UTF8.GetBytes("curl: (22)\n"), true);
            throw new StepFailedException("server: exit code 22, expected 0.");
        }

        TestReport report = await RunAsync(new(), Test("serves it's page", s_passes, Prints, s_passes), Test("after", s_passes));
        TestResult result = report.Results[0];
        Assert.Equal(TestOutcome.Failed, result.Outcome);
        Assert.Equal(FailureKind.Test, report.Verdict(flakyFails: false));
        Assert.Equal([StepOutcome.Passed, StepOutcome.Failed, StepOutcome.NotRun], result.Attempts[0].Steps.Select(step => step.Outcome));
        Assert.Equal(
            """
            server: exit code 22, expected 0.
            shop.yml:12:7: server: step 2
            standard output:
              404
            standard error:
              curl: (22)
            console of server:
              server login:
            seed 5
            to look inside:
              virtigo test shop.yml --filter 'serves it'\''s page' --seed 5 --keep-on-failure
              virtigo shell server

            """,
            result.Attempts[0].FailureAsText);
        Assert.Equal(TestOutcome.Passed, report.Results[1].Outcome);
    }

    [Fact]
    public async Task A_lost_machine_and_a_fork_that_fails_are_no_failures_of_the_test()
    {
        Task Loses(StepContext context, CancellationToken token)
        {
            _forks[^1].Lost = "server: its hypervisor ended.";
            throw new VirtigoException(FailureKind.Guest, "off");
        }

        TestReport lost = await RunAsync(new() { Parallel = 1 }, Test("one", Loses));
        Assert.True(lost.Results[0].Failure!.OfMachine);
        Assert.Equal("server: its hypervisor ended.", lost.Results[0].Failure!.Message);
        Assert.Equal(FailureKind.Guest, lost.Verdict(flakyFails: false));

        TestReport none = await new TestRunner(new TestFile("shop.yml", [Test("one", s_passes)]), new TestOptions(),
            (_, _) => throw new VirtigoException(FailureKind.Host, "no memory", "Add some."), new TestHooks(), TimeProvider.System, null)
            .RunAsync(TestContext.Current.CancellationToken);
        Assert.Equal(("no memory", "Add some.", true), (none.Results[0].Failure!.Message, none.Results[0].Failure!.Hint, none.Results[0].Failure!.OfMachine));
    }

    [Fact]
    public async Task Each_kind_of_exception_is_told_apart()
    {
        async Task<TestFailure> Of(Exception error) => (await RunAsync(new(), Test("one", (_, _) => throw error))).Results[0].Failure!;
        Assert.False((await Of(new VirtigoException(FailureKind.TimedOut, "slow"))).OfMachine);
        Assert.False((await Of(new MachineCommandException("server", "a", new CommandResult(1, "", "", false, default), false))).OfMachine);
        Assert.True((await Of(new VirtigoException(FailureKind.Host, "full"))).OfMachine);
        TestFailure odd = await Of(new IOException("broken pipe"));
        Assert.True(odd.OfMachine);
        Assert.Equal("IOException: broken pipe", odd.Message);
    }

    [Fact]
    public async Task A_test_that_passes_when_run_again_is_flaky()
    {
        int runs = 0;
        Task Once(StepContext context, CancellationToken token) => Interlocked.Increment(ref runs) == 1 ? s_fails(context, token) : Task.CompletedTask;
        TestReport report = await RunAsync(new() { Rerun = 2 }, Test("one", Once));
        Assert.Equal(TestOutcome.Flaky, report.Results[0].Outcome);
        Assert.Equal(2, report.Results[0].Attempts.Count);
        Assert.Null(report.Verdict(flakyFails: false));
        Assert.Equal(FailureKind.Test, report.Verdict(flakyFails: true));
    }

    [Fact]
    public async Task A_quarantine_covers_a_failure_until_its_last_day()
    {
        TestCase In(string name, int year, Func<StepContext, CancellationToken, Task> step) =>
            new(name, 1, Test(name, step).Steps) { Quarantine = new TestQuarantine("bug 7", new DateOnly(year, 1, 31)) };

        var clock = new FakeTimeProvider(new DateTimeOffset(2030, 1, 31, 12, 0, 0, TimeSpan.Zero)) { AutoAdvanceAmount = TimeSpan.FromMilliseconds(40) };
        TestReport report = await RunAsync(new(), new TestHooks(), clock, In("covered", 2030, s_fails), In("over", 2029, s_fails));
        Assert.Equal([TestOutcome.Quarantined, TestOutcome.Failed], report.Results.Select(result => result.Outcome));
        Assert.Equal("quarantined until 2030-01-31: bug 7", report.Results[0].Note);
        Assert.Contains("its quarantine ended on 2029-01-31", report.Results[1].Note);
    }

    [Fact]
    public async Task Repetitions_are_results_of_their_own_with_seeds_of_their_own()
    {
        TestReport report = await RunAsync(new() { Repeat = 3 }, Test("one", s_passes));
        Assert.Equal(["one [1/3]", "one [2/3]", "one [3/3]"], report.Results.Select(result => result.Title));
        Assert.Equal(5UL, report.Results[0].Seed);
        Assert.Equal(3, report.Results.Select(result => result.Seed).Distinct().Count());
    }

    [Fact]
    public async Task A_run_with_the_seed_of_any_attempt_draws_in_its_first_what_that_attempt_drew()
    {
        async Task<TestReport> DrawAsync(TestOptions options, ulong? ofFile)
        {
            TestCase test = Test("draws", (context, _) => throw new StepFailedException($"{context.Random.NextInt64()}"));
            return await new TestRunner(new TestFile("shop.yml", [test, Test("other", s_passes)]) { Seed = ofFile }, options with { Parallel = 1 },
                async (request, _) =>
                {
                    _requests.Add(request);
                    return await Fork();
                }, new TestHooks(), TimeProvider.System, null).RunAsync(TestContext.Current.CancellationToken);
        }

        TestReport run = await DrawAsync(new TestOptions { Repeat = 3, Rerun = 2, Filters = ["draws"] }, ofFile: 77);
        TestAttempt[] attempts = [.. run.Results.SelectMany(result => result.Attempts)];
        ForkRequest[] asked = [.. _requests];
        Assert.Equal((77UL, 9), (run.Seed, attempts.Length));
        Assert.Equal(9, attempts.Select(attempt => attempt.Seed).Distinct().Count());
        Assert.Equal(9, attempts.Select(attempt => attempt.Failure!.Message).Distinct().Count());
        foreach ((TestAttempt attempt, ForkRequest request) in attempts.Zip(asked))
        {
            _requests.Clear();
            TestReport again = await DrawAsync(new TestOptions { Seed = attempt.Seed }, ofFile: 77);
            Assert.Equal(attempt.Failure!.Message, again.Results[0].Attempts[0].Failure!.Message);
            Assert.Equal(request.Seed, _requests[0].Seed);
            Assert.NotEqual(request.Seed, _requests[1].Seed);
            Assert.Contains($"--seed {attempt.Seed} ", attempt.FailureAsText, StringComparison.Ordinal);
            Assert.Contains($"\nseed {attempt.Seed}\n", attempt.FailureAsText, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void No_two_attempts_of_a_run_have_the_same_seed_and_each_can_be_typed()
    {
        foreach (ulong run in (ulong[])[0, 1, 7, int.MaxValue, ulong.MaxValue])
        {
            ulong[] seeds = [.. Enumerable.Range(1, 2000).SelectMany(repetition => Enumerable.Range(1, 101).Select(attempt => TestSeeds.OfAttempt(run, repetition, attempt)))];
            Assert.Equal(seeds.Length, seeds.Distinct().Count());
            Assert.Equal(run, seeds[0]);
            Assert.All(seeds.Skip(1), seed => Assert.InRange(seed, 0UL, (ulong)int.MaxValue));
        }

        Assert.NotEqual(TestSeeds.OfDraws(1, "a"), TestSeeds.OfDraws(1, "b"));
        Assert.NotEqual(TestSeeds.OfDraws(1, "a"), TestSeeds.OfDraws(2, "a"));
        Assert.Equal(5_982_841_662_204_782_631UL, TestSeeds.OfDraws(77, "draws"));
    }

    [Fact]
    public async Task A_filter_chooses_and_one_that_fits_nothing_says_what_there_is()
    {
        TestReport report = await RunAsync(new() { Filters = ["POWER"] }, Test("page", s_passes), Test("power cut", s_passes));
        Assert.Equal("power cut", Assert.Single(report.Results).Name);
        VirtigoException told = await Assert.ThrowsAsync<VirtigoException>(() => RunAsync(new() { Filters = ["pwr"] }, Test("page", s_passes)));
        Assert.Equal("No test of shop.yml has 'pwr' in its name.", told.Message);
        Assert.Contains("'page'", told.Hint);
    }

    [Fact]
    public async Task After_the_first_failure_no_test_starts_when_that_was_asked_for()
    {
        TestReport report = await RunAsync(new() { FailFast = true, Parallel = 1 }, Test("one", s_fails), Test("two", s_passes), Test("three", s_passes));
        Assert.Equal([TestOutcome.Failed, TestOutcome.Skipped, TestOutcome.Skipped], report.Results.Select(result => result.Outcome));
        Assert.Single(_forks);
        Assert.Contains("--fail-fast", report.Ended);
        Assert.Equal("0 passed, 1 failed, 0 flaky, 0 quarantined, 2 not run", report.Summary);
    }

    [Fact]
    public async Task A_test_beyond_its_limit_fails_and_its_fork_goes_even_if_the_step_does_not_stop()
    {
        var never = new TaskCompletionSource();
        TestReport report = await RunAsync(new() { Limit = TimeSpan.FromMilliseconds(50) }, Test("one", (_, _) => never.Task));
        Assert.Equal("The test's limit of 50ms passed during this step.", report.Results[0].Failure!.Message);
        Assert.False(report.Results[0].Failure!.OfMachine);
        Assert.True(_forks[0].Disposed);
    }

    [Fact]
    public async Task The_time_for_all_tests_ends_the_run()
    {
        TestReport report = await RunAsync(new() { TotalLimit = TimeSpan.FromMilliseconds(50), Parallel = 1 },
            Test("one", (_, token) => Task.Delay(Timeout.Infinite, token)), Test("two", s_passes));
        Assert.All(report.Results, result => Assert.Equal(TestOutcome.Skipped, result.Outcome));
        Assert.Equal(FailureKind.TimedOut, report.Verdict(flakyFails: false));
    }

    [Fact]
    public async Task A_person_who_interrupts_ends_everything()
    {
        using var stop = new CancellationTokenSource();
        var runner = new TestRunner(new TestFile("shop.yml", [Test("one", async (_, token) =>
        {
            await stop.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
        })]), new TestOptions(), async (_, _) => await Fork(), new TestHooks(), TimeProvider.System, null);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => runner.RunAsync(stop.Token));
        Assert.True(_forks[0].Disposed);
    }

    [Fact]
    public async Task A_console_that_tells_of_trouble_fails_the_test_at_once_unless_it_is_allowed()
    {
        async Task Panics(StepContext context, CancellationToken token)
        {
            await _forks[^1].SayAsync("[  1.0] Kernel panic - not syncing: Fatal exception");
            await Task.Delay(token.CanBeCanceled ? 60_000 : 0, token);
        }

        TestReport report = await RunAsync(new() { Parallel = 1 }, Test("one", Panics));
        Assert.Equal("server: its console tells of a kernel panic: [  1.0] Kernel panic - not syncing: Fatal exception", report.Results[0].Failure!.Message);
        Assert.False(report.Results[0].Failure!.OfMachine);

        TestCase last = Test("two", async (_, _) => await _forks[^1].SayAsync("a[9]: segfault at 0 ip 00005581 sp 00007ffe error 4"));
        Assert.Equal(TestOutcome.Failed, (await RunAsync(new(), last)).Results[0].Outcome);
        var allowed = new TestCase("three", 1, last.Steps) { AllowedConsole = ["segfault at 0 "] };
        Assert.Equal(TestOutcome.Passed, (await RunAsync(new(), allowed)).Results[0].Outcome);
    }

    [Fact]
    public async Task A_failed_fork_lives_on_when_it_is_taken_over_and_the_last_attempt_is_the_one()
    {
        var hooks = new TestHooks { Keep = (_, title, _) => Task.FromResult<IReadOnlyList<string>?>([$"virtigo shell {title}-1 server"]) };
        TestReport report = await RunAsync(new() { Rerun = 1 }, hooks, Test("one", s_fails));
        Assert.Equal(["virtigo shell one-1 server"], report.Results[0].Failure!.ToLookInside);
        Assert.Equal([true, false], _forks.Select(fork => fork.Disposed));
    }

    [Fact]
    public async Task The_limit_stands_still_at_a_breakpoint()
    {
        string? place = null;
        var hooks = new TestHooks
        {
            Breakpoint = async (_, _, step, token) =>
            {
                place = step.Place.ToString();
                await Task.Delay(150, token);
            },
        };
        Task Pauses(StepContext context, CancellationToken token) =>
            context.Breakpoint!(new BreakpointStep { Place = new StepPlace("shop.yml", 4, 7), Title = "pause here" }, token);

        TestReport report = await RunAsync(new() { Limit = TimeSpan.FromMilliseconds(100) }, hooks, Test("one", Pauses));
        Assert.Equal(TestOutcome.Passed, report.Results[0].Outcome);
        Assert.Equal("shop.yml:4:7", place);
        Assert.Contains(_told.Events, happened => happened is TestPaused);
    }

    [Fact]
    public async Task What_is_kept_of_each_test_has_a_folder_of_its_own()
    {
        _artifacts = Directory.CreateTempSubdirectory("virtigo-artifacts-").FullName;
        try
        {
            TestReport report = await RunAsync(new() { Parallel = 1 },
                new TestCase("a/b c", 1, Test("x", s_passes).Steps) { Artifacts = ["server:/var/log"] }, new TestCase("a b/c", 2, Test("x", s_fails).Steps));
            Assert.Equal(["a-b-c", "a-b-c-line-2"], report.Results.Select(result => Path.GetFileName(result.Attempts[0].ArtifactsFolder)));
            Assert.Equal(["a-b-c False server:/var/log", "a-b-c-line-2 True "], _forks.SelectMany(fork => fork.Collected));
        }
        finally
        {
            Directory.Delete(_artifacts, recursive: true);
        }
    }

    [Fact]
    public async Task The_proof_of_isolation_is_the_first_test_and_stands_in_the_report()
    {
        TestReport report = await RunAsync(new() { ProveIsolation = true, Filters = ["one"] }, Test("one", s_passes), Test("two", s_passes));
        Assert.Equal(["nothing but the environment can be reached", "one"], report.Results.Select(result => result.Name));
        Assert.Contains("<property name=\"isolation\" value=\"", report.ToJUnit());
    }

    [Fact]
    public async Task Everything_that_happens_is_told_in_order()
    {
        await RunAsync(new(), Test("one", s_passes));
        Assert.Equal(["TestRunStarted", "TestStarted", "TestForked", "StepStarted", "StepEnded", "TestEnded"], _told.Events.Select(happened => happened.GetType().Name));
    }

    [Fact]
    public async Task Tests_run_at_once_but_not_more_than_asked_for()
    {
        int now = 0, most = 0;
        async Task Counts(StepContext context, CancellationToken token)
        {
            lock (_forks)
            {
                most = Math.Max(most, ++now);
            }

            await Task.Delay(20, token);
            lock (_forks)
            {
                now--;
            }
        }

        await RunAsync(new() { Parallel = 3 }, [.. Enumerable.Range(0, 9).Select(number => Test($"test {number}", Counts))]);
        Assert.Equal(3, most);
    }
}
