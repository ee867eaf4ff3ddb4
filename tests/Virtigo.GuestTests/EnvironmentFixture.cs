using Virtigo.Environments;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Two machines of the one installed image, booted once for all tests that fork them.</summary>
public sealed class EnvironmentFixture : IDisposable
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

    private readonly Lab _lab;
    private readonly Lazy<Task<EnvironmentSnapshot>> _ready;

    public EnvironmentFixture(Lab lab)
    {
        _lab = lab;
        _ready = new(PrepareAsync);
    }

    /// <summary>The folder of the file.</summary>
    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("virtigo-environment");

    /// <summary>The ready environment.</summary>
    public Task<EnvironmentSnapshot> Ready => _ready.Value;

    /// <summary>A fork of it.</summary>
    public async Task<VirtualEnvironment> ForkAsync() => await (await Ready).ForkAsync(TestContext.Current.CancellationToken);

    public void Dispose()
    {
        if (_ready is { IsValueCreated: true, Value: { IsCompletedSuccessfully: true } ready })
        {
            ready.Result.Dispose();
        }

        Folder.Delete(recursive: true);
    }

    private async Task<EnvironmentSnapshot> PrepareAsync()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        await _lab.Golden;
        File.Copy(_lab.Example, Path.Combine(Folder.FullName, "web.yml"), overwrite: true);
        string file = Path.Combine(Folder.FullName, "pair.yml");
        await File.WriteAllTextAsync(file, Machines, cancel);
        using IDisposable places = await _lab.AllPlacesAsync();
        return await VirtualEnvironment.FromFile(file).PrepareAsync(cancellationToken: cancel);
    }
}

[CollectionDefinition(Name)]
public sealed class EnvironmentGuests : ICollectionFixture<EnvironmentFixture>
{
    public const string Name = "environment";
}
