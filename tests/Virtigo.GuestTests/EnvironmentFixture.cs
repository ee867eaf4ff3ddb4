using Virtigo.Environments;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Two machines of the one installed image, booted once for all tests that fork them.</summary>
public sealed class EnvironmentFixture(Lab lab) : IAsyncDisposable
{
    /// <summary>The machines, as a file describes them.</summary>
    public const string Machines = """
        machines:
          server: {appliance: web.yml, memory: 512MiB, networks: [lan, backstage]}
          client: {appliance: web.yml, memory: 512MiB, networks: [lan]}
        networks: {lan: {}, backstage: {}}
        ready:
          - server: echo ready > /run/prepared
        """;

    private readonly SemaphoreSlim _turn = new(1);
    private EnvironmentSnapshot? _ready;

    /// <summary>The folder of the file.</summary>
    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("virtigo-environment");

    /// <summary>The ready environment.</summary>
    public async Task<EnvironmentSnapshot> ReadyAsync()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        await _turn.WaitAsync(cancel);
        try
        {
            if (_ready is null)
            {
                StoredImage _ = await lab.Golden;
                File.Copy(lab.Example, Path.Combine(Folder.FullName, "web.yml"), overwrite: true);
                string file = Path.Combine(Folder.FullName, "pair.yml");
                await File.WriteAllTextAsync(file, Machines, cancel);
                using IDisposable places = await lab.AllPlacesAsync();
                _ready = await VirtualEnvironment.FromFile(file).PrepareAsync(cancellationToken: cancel);
            }

            return _ready;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>A fork of it.</summary>
    public async Task<VirtualEnvironment> ForkAsync() => await (await ReadyAsync()).ForkAsync(TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync()
    {
        _ready?.Dispose();
        _turn.Dispose();
        Folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}

[CollectionDefinition(Name)]
public sealed class EnvironmentGuests : ICollectionFixture<EnvironmentFixture>
{
    public const string Name = "environment";
}
