using Virtigo.Archives;

namespace Virtigo.Installers.Debian;

/// <summary>
/// The kernel modules of a kernel package, spooled to a file: packages can only be read from front to back, while modules
/// are needed in the order of their dependencies.
/// </summary>
internal sealed class KernelPackage : IDisposable
{
    private const int MaximumModuleBytes = 128 * 1024 * 1024;
    private readonly FileStream _spool;
    private readonly Dictionary<string, Module> _byName = new(StringComparer.Ordinal);

    private KernelPackage(FileStream spool) => _spool = spool;

    /// <summary>One module as packaged.</summary>
    /// <param name="Path">Its path below the folder of the kernel's release, as in <c>kernel/fs/ext4/ext4.ko.xz</c>.</param>
    /// <param name="Content">Its content, compressed as packaged.</param>
    internal sealed record PackagedModule(string Path, byte[] Content);

    /// <summary>Reads a kernel package.</summary>
    /// <param name="path">The verified package.</param>
    /// <param name="kernelVersion">The kernel's release.</param>
    /// <param name="spoolPath">A file to use; it is deleted when this is disposed of.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public static KernelPackage Open(string path, string kernelVersion, string spoolPath, CancellationToken cancellationToken)
    {
        var spool = new FileStream(spoolPath, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 64 * 1024, FileOptions.DeleteOnClose);
        try
        {
            var package = new KernelPackage(spool);
            package.Fill(path, kernelVersion, cancellationToken);
            return package;
        }
        catch
        {
            spool.Dispose();
            throw;
        }
    }

    public void Dispose() => _spool.Dispose();

    /// <summary>The modules of a set and everything that they depend on.</summary>
    /// <param name="paths">Paths below <c>kernel/</c> without ending; those that the package lacks are built into its kernel.</param>
    /// <param name="present">The names of modules that the guest has anyway.</param>
    /// <returns>The modules by path; empty when the package has none of the set.</returns>
    /// <exception cref="InvalidDataException">A module is damaged, or depends on one that is neither here nor there.</exception>
    public IReadOnlyList<PackagedModule> Select(IReadOnlyList<string> paths, IReadOnlySet<string> present)
    {
        var chosen = new SortedDictionary<string, PackagedModule>(StringComparer.Ordinal);
        var open = new Queue<(string Name, string NeededBy)>();
        foreach (Module module in paths.Select(Find).OfType<Module>())
        {
            open.Enqueue((module.Name, ""));
        }

        while (open.TryDequeue(out (string Name, string NeededBy) next))
        {
            if (!_byName.TryGetValue(next.Name, out Module? module))
            {
                throw new InvalidDataException($"the module {next.NeededBy} needs {next.Name}, which the package does not have");
            }

            if (present.Contains(next.Name) || chosen.ContainsKey(module.Path))
            {
                continue;
            }

            byte[] content = Read(module);
            chosen.Add(module.Path, new PackagedModule(module.Path, content));
            foreach (string needed in KernelModule.Depends(Decompress(module, content)))
            {
                if (!present.Contains(needed))
                {
                    open.Enqueue((needed, next.Name));
                }
            }
        }

        return [.. chosen.Values];
    }

    private static byte[] Decompress(Module module, byte[] content)
    {
        string suffix = Path.GetExtension(module.Path);
        using Stream plain = Decompression.Open(new MemoryStream(content, writable: false), suffix == ".ko" ? "" : suffix, module.Path);
        return Decompression.ReadAll(plain, MaximumModuleBytes, module.Path);
    }

    private Module? Find(string path) =>
        _byName.GetValueOrDefault(KernelModule.NameOf(path + ".ko")!) is { } module && KernelModule.WithoutEnding(module.Path) == "kernel/" + path
            ? module
            : null;

    private byte[] Read(Module module)
    {
        byte[] content = new byte[module.Length];
        _spool.Position = module.Offset;
        _spool.ReadExactly(content);
        return content;
    }

    private void Fill(string path, string kernelVersion, CancellationToken cancellationToken)
    {
        string folder = $"lib/modules/{kernelVersion}/";
        using DebPackage package = DebPackage.Open(path);
        foreach (DebEntry file in package.Files())
        {
            cancellationToken.ThrowIfCancellationRequested();
            int start = file.Path.StartsWith("usr/" + folder, StringComparison.Ordinal) ? folder.Length + 4
                : file.Path.StartsWith(folder, StringComparison.Ordinal) ? folder.Length : -1;
            if (start < 0 || file.Content is null || file.Size > MaximumModuleBytes || KernelModule.NameOf(file.Path) is not { } name)
            {
                continue;
            }

            long offset = _spool.Position;
            file.Content.CopyTo(_spool);
            _byName.TryAdd(name, new Module(name, file.Path[start..], offset, (int)(_spool.Position - offset)));
        }
    }

    private sealed record Module(string Name, string Path, long Offset, int Length);
}
