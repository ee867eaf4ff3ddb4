using Virtigo.Archives;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>Kernel modules out of an installer: of its initial file system, and of the components that it is given.</summary>
internal static class GuestModules
{
    private const int Largest = 64 << 20;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The modules and everything that they need, in an order in which they can be loaded. Those that are built into the kernel are left out.</summary>
    public static async Task<IReadOnlyList<(string Name, byte[] Content)>> ReadAsync(InstallerBuild installer, params string[] names)
    {
        var found = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var order = new List<string>();
        HashSet<string> wanted = [.. names];
        while (wanted.Count > 0)
        {
            await CollectAsync(installer, wanted, found);
            wanted = [.. wanted.Where(found.ContainsKey).SelectMany(name => KernelModule.Depends(found[name])).Where(name => !found.ContainsKey(name))];
        }

        foreach (string name in names.Where(found.ContainsKey))
        {
            Add(name);
        }

        return [.. order.Select(name => (name + ".ko", found[name]))];

        void Add(string name)
        {
            if (found.TryGetValue(name, out byte[]? module) && !order.Contains(name))
            {
                foreach (string needed in KernelModule.Depends(module))
                {
                    Add(needed);
                }

                order.Add(name);
            }
        }
    }

    private static async Task CollectAsync(InstallerBuild installer, HashSet<string> wanted, Dictionary<string, byte[]> found)
    {
        await using (FileStream initrd = File.OpenRead(installer.InitrdPath))
        {
            var members = new CpioReader(initrd);
            while (await members.ReadAsync(Token) is { } member)
            {
                if (member.Type == CpioEntryType.File && KernelModule.NameOf(member.Path) is { } name && wanted.Contains(name))
                {
                    found[name] = Plain(member.Path, await members.ReadContentAsync(Largest, Token));
                }
            }
        }

        await using FileStream given = File.OpenRead(installer.UdebCpioPath);
        var components = new CpioReader(given);
        while (await components.ReadAsync(Token) is { } component)
        {
            if (component.Path.Contains("-modules-", StringComparison.Ordinal) && component.Path.EndsWith(".udeb", StringComparison.Ordinal))
            {
                await CollectAsync(await components.ReadContentAsync(Largest, Token), wanted, found);
            }
        }
    }

    private static async Task CollectAsync(byte[] component, HashSet<string> wanted, Dictionary<string, byte[]> found)
    {
        string path = Path.GetTempFileName();
        try
        {
            await File.WriteAllBytesAsync(path, component, Token);
            using DebPackage package = DebPackage.Open(path);
            foreach (DebEntry file in package.Files().Where(file => file.Type == DebEntryType.File))
            {
                if (KernelModule.NameOf(file.Path) is { } name && wanted.Contains(name))
                {
                    found[name] = Plain(file.Path, Decompression.ReadAll(file.Content!, Largest, file.Path));
                }
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static byte[] Plain(string path, byte[] content)
    {
        string suffix = Path.GetExtension(path);
        using Stream plain = Decompression.Open(new MemoryStream(content, writable: false), suffix == ".ko" ? "" : suffix, path);
        return Decompression.ReadAll(plain, Largest, path);
    }
}
