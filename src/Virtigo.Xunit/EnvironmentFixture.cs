using Virtigo.Environments;
using Xunit;

namespace Virtigo.Xunit;

/// <summary>
/// An environment that tests share: made ready once, before the first of them, and forked by each, so that none sees what another did.
/// Derive a class that names the file, and use that as a fixture of the assembly, a collection or a class:
/// <c>public sealed class Shop() : EnvironmentFixture("shop.yml");</c>
/// </summary>
/// <remarks>Needs no root. Tests may fork it at the same time: <see cref="ForkAsync"/> waits while the host's memory has no room.</remarks>
public abstract class EnvironmentFixture : IAsyncLifetime
{
    private EnvironmentSnapshot? _ready;

    /// <summary>A fixture of the environment in a file.</summary>
    /// <param name="file">The file; a relative path begins in the folder of the test program, where the build copies it.</param>
    protected EnvironmentFixture(string file)
    {
        ArgumentException.ThrowIfNullOrEmpty(file);
        File = Path.Combine(AppContext.BaseDirectory, file);
    }

    /// <summary>The absolute path of the environment's file.</summary>
    public string File { get; }

    /// <summary>The environment as every test finds it.</summary>
    /// <exception cref="InvalidOperationException">The fixture was not initialised, which xUnit does before it gives it to a test.</exception>
    public EnvironmentSnapshot Ready => _ready ?? throw new InvalidOperationException($"{GetType().Name} was not initialised: let xUnit make it, as a fixture.");

    /// <summary>Where and how the environment is made; override it for other than the defaults.</summary>
    protected virtual EnvironmentOptions Options => new() { RerunCommand = "dotnet test" };

    /// <summary>
    /// Makes the environment ready: from the store when it was made before, otherwise its images are built and its machines booted once.
    /// What happens is told in xUnit's diagnostic messages. Called by xUnit.
    /// </summary>
    /// <exception cref="VirtigoException">The file is wrong, a machine does not come up, the host lacks something.</exception>
    public async ValueTask InitializeAsync()
    {
        ITestContext context = TestContext.Current;
        _ready = await ReadableFailure.OfAsync(() => VirtualEnvironment.FromFile(File)
            .PrepareAsync(Options, new DiagnosticProgress(Path.GetFileName(File), context), context.CancellationToken));
    }

    /// <summary>
    /// Starts a copy of the environment for one test. Waits while the host's memory has no room for it; ends with the test run, and
    /// with the time limit of the test.
    /// </summary>
    /// <returns>The copy, running; disposing it destroys it.</returns>
    /// <exception cref="VirtigoException">The host lacks something, or a machine does not answer.</exception>
    public Task<VirtualEnvironment> ForkAsync() => ReadableFailure.OfAsync(() => Ready.ForkAsync(TestContext.Current.CancellationToken));

    /// <summary>Gives the environment up; it stays in the store for the next run. Called by xUnit.</summary>
    public ValueTask DisposeAsync()
    {
        _ready?.Dispose();
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
