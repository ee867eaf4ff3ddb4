using Virtigo.Environments;
using Virtigo.Machines;
using Xunit;

namespace Virtigo.Xunit;

/// <summary>
/// A test class of which every test method has a fork of its own, made before it and destroyed after it. When the test failed, the
/// last lines of each machine's console are in its output, also when its time was over.
/// </summary>
/// <typeparam name="TFixture">The fixture of the environment; xUnit passes it to the constructor.</typeparam>
/// <param name="fixture">The fixture.</param>
public abstract class ForkedTest<TFixture>(TFixture fixture) : IAsyncLifetime
    where TFixture : EnvironmentFixture
{
    private const int ConsoleLines = 20;
    private VirtualEnvironment? _fork;
    private CancellationTokenRegistration _cancelled;

    /// <summary>The fork of the running test.</summary>
    /// <exception cref="InvalidOperationException">No test runs.</exception>
    protected VirtualEnvironment Fork => _fork ?? throw new InvalidOperationException("There is a fork only while a test runs; the constructor is too early for it.");

    /// <summary>The fixture.</summary>
    protected TFixture Fixture { get; } = fixture;

    /// <summary>Ends with the test run, and with the time limit of the test.</summary>
    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Makes the fork. Called by xUnit; call it first when overriding it.</summary>
    /// <exception cref="VirtigoException">The host lacks something, or a machine does not answer.</exception>
    public virtual async ValueTask InitializeAsync()
    {
        VirtualEnvironment fork = _fork = await Fixture.ForkAsync();

        // A test whose time is over is reported at once, before it is disposed: the consoles are told as soon as it is cancelled.
        ITestOutputHelper? output = TestContext.Current.TestOutputHelper;
        _cancelled = Cancel.Register(() => TellConsoles(fork, output));
    }

    /// <summary>Destroys the fork. Called by xUnit; call it last when overriding it.</summary>
    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_fork is null)
        {
            return;
        }

        await using VirtualEnvironment fork = _fork;
        bool told = !_cancelled.Unregister();
        if (!told && TestContext.Current is { TestState.Result: TestResult.Failed } context)
        {
            TellConsoles(fork, context.TestOutputHelper);
        }
    }

    private static void TellConsoles(VirtualEnvironment fork, ITestOutputHelper? output)
    {
        foreach (Machine machine in fork.Machines)
        {
            output?.WriteLine(ConsoleReport.Of(machine.Name, machine.State, machine.ConsoleTail(ConsoleLines)));
        }
    }
}
